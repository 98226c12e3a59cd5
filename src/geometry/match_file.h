// SPDX-License-Identifier: Apache-2.0
// Lists of point pairs: which point of one picture is which of another (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/frame_transform.h"
#include "store/common/frame_list.h"

namespace vggt {

// The same point of the scene in two frames, in pixels of the original pictures as they are stored.
struct PointPair {
  int64_t frame_a = 0;
  Point a;
  int64_t frame_b = 0;
  Point b;
};

inline constexpr int64_t kMostPointPairs = 10'000'000;

// Reads a CSV with the header frame_a,x_a,y_a,frame_b,x_b,y_b, whose frames are numbers from 0 or
// names of pictures, or an .npz of `frames` [M, 2] and `points` [M, 4] (x_a, y_a, x_b, y_b); which
// of them it is, its content tells. Throws Error naming the file and the line or row if it is
// damaged, empty or longer than kMostPointPairs, if a frame is not one of the export, both frames
// are the same, or a point is no number or lies outside its picture. `frames` has transforms.
std::vector<PointPair> ReadMatchFile(const std::filesystem::path& file, const FrameList& frames);

}  // namespace vggt
