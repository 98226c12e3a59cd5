// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/workspace.h"

#include <gtest/gtest.h>

#include "model/families/vggt.h"

namespace vggt {
namespace {

ModelPlan SmallPlan() { return VggtPlan({.dim = 8, .depth = 1, .head_dim = 8, .hidden = 32}); }

TEST(Workspace, HiddenLayerIsBoundedForAnySequence) {
  const ModelPlan plan = SmallPlan();
  for (const int64_t tokens : {1, 930, 2048, 2049, 4650, 46500}) {
    const Workspace workspace(plan, tokens, Precision::kF32);
    EXPECT_LE(workspace.mlp_rows, 2048);
    EXPECT_GE(workspace.mlp_rows, std::min<int64_t>(tokens, 1024));
    EXPECT_EQ(workspace.qkv.size(), tokens * 24);
    const auto& buffers = std::get<BlockBuffers<float>>(workspace.between);
    EXPECT_EQ(buffers.normed.size(), tokens * 8);
    EXPECT_EQ(buffers.hidden.size(), workspace.mlp_rows * 32);
  }
}

TEST(Workspace, Bf16BuffersTakeHalfTheMemory) {
  const ModelPlan plan = SmallPlan();
  const Workspace workspace(plan, 930, Precision::kBf16);
  const auto& buffers = std::get<BlockBuffers<uint16_t>>(workspace.between);
  EXPECT_EQ(buffers.normed.size(), 930 * 8);
  EXPECT_EQ(buffers.hidden.size(), 930 * 32);
}

TEST(Workspace, OfSomeBlocksHasTheirExtents) {
  const ModelPlan plan = SmallPlan();
  const Workspace workspace(plan.stages.back().blocks, 8, 3, Precision::kF32);
  EXPECT_EQ(workspace.qkv.size(), 3 * 24);
  EXPECT_EQ(std::get<BlockBuffers<float>>(workspace.between).hidden.size(), 3 * 32);
}

TEST(Workspace, HoldsWhatThePlansBlocksNeedAndNoMore) {
  // One block, which ends at its queries and keys.
  const ModelPlan plan = TruncatePlan(SmallPlan(), {BlockKind::kFrame, 0});
  const Workspace workspace(plan, 100, Precision::kF32);
  EXPECT_EQ(workspace.qkv.size(), 100 * 16);
  EXPECT_EQ(std::get<BlockBuffers<float>>(workspace.between).hidden.size(), 0);
}

}  // namespace
}  // namespace vggt
