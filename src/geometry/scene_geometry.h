// SPDX-License-Identifier: Apache-2.0
// Where the pictures of an export were taken, and how far away what they show is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "geometry/camera.h"

namespace vggt {

// z along the camera's axis (not the length of the ray) of what a picture shows. Samples cover the
// picture evenly: that of row j and column i is the depth of the rectangle from
// (i · picture width / width, j · picture height / height) to the same of i + 1 and j + 1.
struct DepthMap {
  int64_t width = 0, height = 0;
  std::vector<float> z;           // [height, width]; 0 where it is not known
  std::vector<float> confidence;  // the same; empty if all are trusted alike
};

// What is known of one frame. Camera and depth concern a picture of original_width x
// original_height of `transform`, which leads from it to the frame: the picture as it is stored in
// its file, or, of what a model predicted, the frame itself, with a transform that changes nothing.
struct FrameView {
  FrameTransform transform;
  Camera camera;
  DepthMap depth;  // without samples: not known
};

struct SceneGeometry {
  std::vector<std::optional<FrameView>> views;  // one for each frame of an export; none: not known
  std::string text;        // where it is from: "cameras.json"; if predicted, the model: "VGGT-1B"
  bool predicted = false;  // by a model, of the pictures alone
};

// Whether there is a depth map.
bool HasDepth(const SceneGeometry& geometry);
// The depth at a place of the picture that `view` concerns; 0 outside and where it is not known.
double DepthAt(const FrameView& view, Point place);
// The confidence there; 0 outside. Depth has a confidence.
double ConfidenceAt(const FrameView& view, Point place);

}  // namespace vggt
