// SPDX-License-Identifier: Apache-2.0
#include "model/flops.h"

#include <gtest/gtest.h>

#include "model/synthetic.h"

namespace vggt {
namespace {

ModelPlan UpToLayer(const ModelPlan& plan, int64_t layer) {
  return TruncatePlan(plan, {BlockKind::kGlobal, layer});
}

TEST(Flops, OfVggt1bByHand) {
  const ModelPlan& plan = SyntheticPresets().front().plan;
  // A block's dense part is 24·1024² per token; attention 4·N·1024 per query.
  const double dense = 24.0 * 1024 * 1024, n = 930;
  const double projection = 2.0 * 925 * 588 * 1024;
  const double encoder = 24 * (dense * n + 4 * 1024 * n * n);
  for (const int s : {1, 5}) {
    const double global = dense * s * n + 4.0 * 1024 * s * n * s * n;
    const double all = s * (projection + 2 * encoder) + 23 * global + 4.0 * 1024 * 1024 * s * n;
    EXPECT_NEAR(ForwardFlops(UpToLayer(plan, 23), s, 25, 37) / all, 1, 1e-12);
  }
  EXPECT_NEAR(ForwardFlops(UpToLayer(plan, 23), 5, 25, 37), 11.2e12, 0.05e12);
}

TEST(Flops, LaterLayersCostMore) {
  const ModelPlan& plan = SyntheticPresets().front().plan;
  EXPECT_LT(ForwardFlops(UpToLayer(plan, 0), 2, 25, 37),
            ForwardFlops(UpToLayer(plan, 1), 2, 25, 37));
  // The encoder alone, up to its last block's queries and keys.
  const double block = 24.0 * 1024 * 930 + 4.0 * 930 * 930;
  const double encoder = 2 * (2.0 * 925 * 588 + 23 * block + 4.0 * 1024 * 930) * 1024;
  EXPECT_NEAR(ForwardFlops(TruncatePlan(plan, {BlockKind::kEncoder, 23}), 2, 25, 37) / encoder, 1,
              1e-12);
}

TEST(Flops, OfVggt1bsHeads) {
  const DptSpec depth = VggtDptHead({}, "depth_head");
  EXPECT_NEAR(HeadFlops(depth, 25, 37, 14), 194e9, 0.5e9);
  EXPECT_NEAR(HeadFlops(depth, 37, 37, 14), 287e9, 0.5e9);
  const CameraHeadSpec camera = VggtCameraHead({}, "camera_head");
  EXPECT_NEAR(HeadFlops(camera, 1), 1.7e9, 0.05e9);
}

}  // namespace
}  // namespace vggt
