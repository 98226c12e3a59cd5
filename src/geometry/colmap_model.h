// SPDX-License-Identifier: Apache-2.0
// Sparse models of COLMAP, text and binary (https://colmap.github.io/format.html).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "geometry/camera.h"

namespace vggt {

struct ColmapImage {
  std::string name;               // relative to COLMAP's folder of pictures
  int64_t width = 0, height = 0;  // of the picture
  Camera camera;
  std::vector<Point> points;  // where features were found
};

// Where a picture shows a point: places in ColmapModel::images and in their points.
struct ColmapObservation {
  size_t image = 0, point = 0;
};

struct ColmapPoint {
  Vector3 world{};
  std::vector<ColmapObservation> track;
};

struct ColmapModel {
  std::vector<ColmapImage> images;  // in the order of the file
  std::vector<ColmapPoint> points;
};

// Whether a folder holds a model.
bool HoldsColmapModel(const std::filesystem::path& folder);

// Reads cameras, images and points3D in `folder`: the binary files or, if there are none, the text.
// Camera models: SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV. Throws Error naming the
// file, and the byte or line, if one is missing, damaged, or larger than 4 GB, if a number is not
// finite, if they refer to what is not there, and if a camera is of another model.
ColmapModel ReadColmapModel(const std::filesystem::path& folder);

}  // namespace vggt
