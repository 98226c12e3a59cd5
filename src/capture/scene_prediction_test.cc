// SPDX-License-Identifier: Apache-2.0
#include "capture/scene_prediction.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "geometry/pose_encoding.h"
#include "heads_testing.h"
#include "model/flops.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::GoldenArray;
using testing::LoadGolden;

// Two poses of the specification, of which the first has a field of view of 0.
TEST(ScenePrediction, WhatIsNoCameraOrNoNumberIsSaid) {
  ScenePrediction prediction;
  prediction.frames = 2;
  prediction.width = 56;
  prediction.height = 70;
  prediction.poses = {LoadGolden("no_camera/outputs.npz", "pose_enc").values};
  EXPECT_THAT(PredictionNotes(prediction),
              ElementsAre("frame 0 has no camera: its field of view is 0"));
  EXPECT_EQ(prediction.cameras(), 1);
  const SceneGeometry scene = SceneOf(prediction, "tiny");
  EXPECT_FALSE(scene.views[0].has_value());
  ASSERT_TRUE(scene.views[1].has_value());
  CheckCamera(scene.views[1]->camera, "picture 2");

  prediction.poses.clear();
  prediction.depth = FloatBuffer(2 * 56 * 70);
  std::ranges::fill(prediction.depth.span(), 1.0F);
  prediction.depth[3] = std::nanf("");
  prediction.depth[56 * 70] = prediction.depth[56 * 70 + 1] =
      std::numeric_limits<float>::infinity();
  EXPECT_THAT(PredictionNotes(prediction),
              ElementsAre("frame 0: 1 value of its depth is infinite or no number",
                          "frame 1: 2 values of its depth are infinite or no numbers"));
  EXPECT_FALSE(SceneOf(prediction, "").views[1].has_value());  // depth alone is no view
}

TEST(ScenePrediction, MatricesOfAnInfiniteFocalLengthAreTheOriginals) {
  const GoldenArray poses = LoadGolden("no_camera/outputs.npz", "pose_enc");
  const GoldenArray intrinsic = LoadGolden("no_camera/outputs.npz", "intrinsic");
  const GoldenArray extrinsic = LoadGolden("no_camera/outputs.npz", "extrinsic");
  for (size_t f = 0; f < 2; ++f) {
    const PoseMatrices m = MatricesOfPose(PoseNumbers(poses.values.data() + 9 * f, 9), 56, 70);
    for (size_t i = 0; i < 9; ++i) {
      const float expected = intrinsic.values[9 * f + i];
      if (std::isinf(expected)) {
        EXPECT_EQ(m.intrinsic[i], expected);
      } else {
        EXPECT_NEAR(m.intrinsic[i], expected, 1e-4 * std::abs(expected)) << i;
      }
    }
    for (size_t i = 0; i < 12; ++i) {
      EXPECT_NEAR(m.extrinsic[i], extrinsic.values[12 * f + i], 2e-4) << i;
    }
  }
}

TEST(ScenePrediction, ItsCostIsThatOfItsHeads) {
  const testing::GoldenHeadsModel golden;
  HeadsPlan heads = golden.heads;
  const TokenGrid grid{3, 5, 3, 5};
  heads.points.reset();
  EXPECT_DOUBLE_EQ(PredictionFlops(heads, grid, 14),
                   HeadFlops(*heads.camera, 3) + 3 * HeadFlops(*heads.depth, 3, 5, 14));
  const double without = PredictionMemoryBytes(heads, grid, 14, Precision::kF32);
  heads.points = golden.heads.points;
  EXPECT_GT(PredictionMemoryBytes(heads, grid, 14, Precision::kF32), without);
}

}  // namespace
}  // namespace vggt
