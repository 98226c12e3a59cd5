// SPDX-License-Identifier: Apache-2.0
#include "geometry/pose_encoding.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>

namespace vggt {
namespace {

// A quarter turn about z, of a quaternion of length 2; fields of view of 60° and 90°.
const std::array<float, 9> kPose = {
    1, 2, 3, 0, 0, std::sqrt(2.0F), std::sqrt(2.0F), 1.04719755F, 1.57079633F};

std::array<float, 9> With(size_t place, float value) {
  std::array<float, 9> pose = kPose;
  pose[place] = value;
  return pose;
}

TEST(PoseEncoding, AQuarterTurnByHand) {
  EXPECT_EQ(PoseProblem(kPose), "");
  const PoseMatrices m = MatricesOfPose(kPose, 400, 300);
  const float extrinsic[] = {0, -1, 0, 1, 1, 0, 0, 2, 0, 0, 1, 3};
  for (int i = 0; i < 12; ++i) EXPECT_NEAR(m.extrinsic[i], extrinsic[i], 1e-6) << i;
  const double fy = 150 * std::sqrt(3.0);
  const double intrinsic[] = {200, 0, 200, 0, fy, 150, 0, 0, 1};
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(m.intrinsic[i], intrinsic[i], 1e-4) << i;

  const Camera camera = CameraOfPose(kPose, 400, 300);
  CheckCamera(camera, "the pose");
  EXPECT_NEAR(camera.fx, 200, 1e-4);
  EXPECT_NEAR(camera.fy, fy, 1e-4);
  EXPECT_EQ(camera.cx, 200.5);
  EXPECT_EQ(camera.cy, 150.5);
  const Vector3 in_camera = CameraFromWorld(camera, {1, 0, 0});
  EXPECT_NEAR(in_camera[0], 1, 1e-6);
  EXPECT_NEAR(in_camera[1], 3, 1e-6);
  EXPECT_NEAR(in_camera[2], 3, 1e-6);
}

TEST(PoseEncoding, WhatIsNoCameraIsSaid) {
  EXPECT_EQ(PoseProblem(With(7, 0)), "its field of view is 0");
  EXPECT_EQ(PoseProblem(With(8, 0)), "its field of view is 0");
  EXPECT_EQ(PoseProblem(With(8, 3.1416F)), "its field of view is half a turn or more");
  EXPECT_EQ(PoseProblem(With(0, std::nanf(""))), "its pose holds values that are no numbers");
  EXPECT_EQ(PoseProblem(With(7, std::numeric_limits<float>::infinity())),
            "its pose holds values that are no numbers");
  EXPECT_EQ(PoseProblem(std::array<float, 9>{0, 0, 0, 0, 0, 0, 0, 1, 1}), "it has no rotation");
  EXPECT_TRUE(std::isinf(MatricesOfPose(With(8, 0), 400, 300).intrinsic[0]));
}

}  // namespace
}  // namespace vggt
