// SPDX-License-Identifier: Apache-2.0
// Pictures of an export, and known points of a scene seen by known cameras.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "geometry/camera.h"
#include "store/common/frame_list.h"

namespace vggt::testing {

// Frames of width × height pixels, which are their pictures, in cells of 14 pixels. Their files are
// called 00.jpg, 01.jpg …
inline FrameList PlainFrames(int64_t count, int64_t H_p, int64_t W_p) {
  FrameList list;
  list.frames = count;
  list.H_p = H_p;
  list.W_p = W_p;
  const int width = static_cast<int>(14 * W_p), height = static_cast<int>(14 * H_p);
  for (int64_t i = 0; i < count; ++i) {
    list.image_paths.push_back(fmt::format("../images/frame_{:02}.jpg", i));
    list.image_sizes.push_back({width, height});
    list.transforms.push_back({width, height, width, height, 0, height, 0, 0, width, height});
    list.sources.push_back({fmt::format("{:02}.jpg", i), {}});
  }
  return list;
}

// A camera before the plane z = 0 of the world, looking along z from (x, y, -distance).
inline Camera PlaneCamera(double x, double y, double distance, double focal, const FrameList& of) {
  Camera camera;
  camera.fx = camera.fy = focal;
  camera.cx = of.transforms[0].original_width / 2.0;
  camera.cy = of.transforms[0].original_height / 2.0;
  camera.translation = {-x, -y, distance};
  return camera;
}

}  // namespace vggt::testing
