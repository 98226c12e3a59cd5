// SPDX-License-Identifier: Apache-2.0
// What the pixels of all frames show, as points of the world.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

struct CloudPoint {
  std::array<float, 3> position{};  // in the world
  std::array<uint8_t, 3> colour{};  // RGB, as the frame shows it
  float confidence = 0;             // of its depth; 0 if depth has none
  int32_t frame = 0, x = 0, y = 0;  // the pixel of that frame
  int32_t patch = 0;                // which holds the pixel, among those of its frame
};

struct PointCloud {
  std::vector<CloudPoint> points;  // ascending by frame, y and x
  int64_t known = 0;               // pixels whose depth is known
  float least_confidence = 0;      // that a point has; 0 if depth has no confidence
};

// A point for each pixel whose depth is known and whose confidence is not below the `percentile`
// (0 … 100; nearest rank) of all such pixels; of more than `most` points that many, each equally
// likely, the same ones every time. Positions beyond float32 are left out. Views are those of
// frames (AtFrame). `rgb` [frames, height, width, 3] is what the frames show.
PointCloud MakePointCloud(const SceneGeometry& scene, const FrameList& frames,
                          std::span<const uint8_t> rgb, double percentile, int64_t most);

// `most` of the points, chosen in the same way; all if there are fewer.
std::vector<CloudPoint> SomePoints(std::span<const CloudPoint> points, int64_t most);

}  // namespace vggt
