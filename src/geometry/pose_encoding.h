// SPDX-License-Identifier: Apache-2.0
// The nine numbers by which VGGT's camera head says where a picture was taken ("absT_quaR_FoV"):
// translation of the camera from the world (0-2), its rotation as a quaternion x, y, z, w that need
// not be of unit length (3-6), vertical (7) and horizontal (8) field of view in radians.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "geometry/camera.h"

namespace vggt {

using PoseNumbers = std::span<const float, 9>;

// As the original gives them, for a frame of width × height pixels whose centres lie at whole
// numbers: row after row [R | t], where R X + t is a point X of the world in the camera, and
// [[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]]. A field of view of 0 gives an infinite
// focal length.
struct PoseMatrices {
  std::array<float, 12> extrinsic;
  std::array<float, 9> intrinsic;
};
PoseMatrices MatricesOfPose(PoseNumbers pose, int64_t width, int64_t height);

// Why a pose is no camera: "its field of view is 0"; "" if it is one.
std::string PoseProblem(PoseNumbers pose);

// The camera of the frame; the pose has no problem.
Camera CameraOfPose(PoseNumbers pose, int64_t width, int64_t height);

}  // namespace vggt
