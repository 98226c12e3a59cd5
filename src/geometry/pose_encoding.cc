// SPDX-License-Identifier: Apache-2.0
#include "geometry/pose_encoding.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vggt {
namespace {

Matrix3 RotationOf(PoseNumbers pose) {
  const double x = pose[3], y = pose[4], z = pose[5], w = pose[6];
  const double s = 2 / (x * x + y * y + z * z + w * w);
  return {{{1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)},
           {s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)},
           {s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)}}};
}

// Of half of the picture's side.
double FocalLength(int64_t side, float field_of_view) {
  return static_cast<double>(side) / 2 / std::tan(static_cast<double>(field_of_view) / 2);
}

}  // namespace

PoseMatrices MatricesOfPose(PoseNumbers pose, int64_t width, int64_t height) {
  const Matrix3 rotation = RotationOf(pose);
  PoseMatrices out{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      out.extrinsic[4 * i + j] = static_cast<float>(rotation[i][j]);
    }
    out.extrinsic[4 * i + 3] = pose[i];
  }
  out.intrinsic = {static_cast<float>(FocalLength(width, pose[8])),
                   0,
                   static_cast<float>(width) / 2,
                   0,
                   static_cast<float>(FocalLength(height, pose[7])),
                   static_cast<float>(height) / 2,
                   0,
                   0,
                   1};
  return out;
}

std::string PoseProblem(PoseNumbers pose) {
  if (!std::all_of(pose.begin(), pose.end(), [](float v) { return std::isfinite(v); })) {
    return "its pose holds values that are no numbers";
  }
  if (std::min(pose[7], pose[8]) <= 0) return "its field of view is 0";
  if (std::max(pose[7], pose[8]) >= std::numbers::pi_v<float>) {
    return "its field of view is half a turn or more";
  }
  if (std::all_of(pose.begin() + 3, pose.begin() + 7, [](float v) { return v == 0; })) {
    return "it has no rotation";
  }
  return "";
}

Camera CameraOfPose(PoseNumbers pose, int64_t width, int64_t height) {
  Camera camera;
  camera.fx = FocalLength(width, pose[8]);
  camera.fy = FocalLength(height, pose[7]);
  // The model's pixels have their centres at whole numbers.
  camera.cx = static_cast<double>(width) / 2 + 0.5;
  camera.cy = static_cast<double>(height) / 2 + 0.5;
  camera.rotation = RotationOf(pose);
  camera.translation = {pose[0], pose[1], pose[2]};
  return camera;
}

}  // namespace vggt
