// SPDX-License-Identifier: Apache-2.0
// Whole passes are held against the specification in tests/families_test.cc.
#include "model/families/da3.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

ModelPlan Da3Small() {
  return Da3Plan({.dim = 384, .depth = 12, .start = 4, .hidden = 1536, .position_grid = 37});
}

TEST(Da3, FirstBlocksAreTheEncoder) {
  const ModelPlan plan = Da3Small();
  EXPECT_EQ(plan.family, "Depth Anything 3 small");
  EXPECT_EQ(plan.text,
            "4 encoder, 4 frame and 4 global blocks in one list, 384 channels, 6 heads of 64");
  EXPECT_THAT(plan.numbers(BlockKind::kEncoder), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(plan.numbers(BlockKind::kFrame), ElementsAre(4, 6, 8, 10));
  EXPECT_THAT(plan.numbers(BlockKind::kGlobal), ElementsAre(5, 7, 9, 11));
  EXPECT_EQ(plan.depth(), 12);
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) EXPECT_EQ(block.norm1.eps, 1e-6F);
  }
  const StageSpec &encoder = plan.stages[0], &mixing = plan.stages[1];
  EXPECT_FALSE(encoder.blocks[3].q_norm.has_value());
  EXPECT_EQ(encoder.blocks[3].rope.kind, Rotary::kNone);
  EXPECT_FALSE(encoder.norm.has_value());
  EXPECT_EQ(encoder.positions->resampling, (Resampling{false, 0.1}));
  EXPECT_EQ(mixing.blocks[0].q_norm->eps, 1e-5F);
  EXPECT_EQ(mixing.blocks[0].rope.kind, Rotary::kVggt);
  EXPECT_EQ(mixing.blocks[1].rope.kind, Rotary::kNodiff);
  EXPECT_EQ(mixing.blocks[1].rope.stored().type, RopeType::kApplied);
  EXPECT_EQ(mixing.blocks[1].qkv.name, "backbone.pretrained.blocks.5.attn.qkv");
}

TEST(Da3, TheReferenceIsChosenBeforeTheEncodersLastBlock) {
  const ModelPlan plan = Da3Small();
  EXPECT_EQ(plan.stages[0].choose_reference_before, 3U);
  EXPECT_THAT(plan.stages[0].token_names(), ElementsAre("cls"));
  EXPECT_THAT(plan.stages[1].token_names(), ElementsAre("camera"));
  EXPECT_TRUE(plan.stages[1].tokens[0].reference_apart);
}

TEST(Da3, GiantIsGatedAndBeginsWithAGlobalBlock) {
  const ModelPlan plan = Da3Plan(
      {.dim = 1536, .depth = 40, .start = 13, .hidden = 4096, .gated = true, .position_grid = 37});
  EXPECT_EQ(plan.family, "Depth Anything 3 giant");
  EXPECT_EQ(plan.count(BlockKind::kGlobal), 14);
  EXPECT_EQ(plan.count(BlockKind::kFrame), 13);
  EXPECT_EQ(plan.text,
            "13 encoder, 13 frame and 14 global blocks in one list, 1536 channels, 24 heads of 64, "
            "SwiGLU");
  EXPECT_EQ(plan.stages[1].blocks[0].id, (BlockId{BlockKind::kGlobal, 13}));
  EXPECT_EQ(plan.stages[1].blocks[0].rest->fc1.out, 8192);
}

TEST(Da3, ModelsOfOnePictureAreEncodersAlone) {
  const ModelPlan plan =
      Da3Plan({.dim = 1024, .depth = 24, .start = 24, .hidden = 4096, .position_grid = 37});
  EXPECT_EQ(plan.family, "Depth Anything 3 mono");
  EXPECT_EQ(plan.stages.size(), 1U);
  EXPECT_EQ(plan.count(BlockKind::kEncoder), 24);
  EXPECT_EQ(plan.count(BlockKind::kGlobal), 0);
  EXPECT_EQ(plan.first(BlockKind::kGlobal), nullptr);
  EXPECT_FALSE(plan.stages[0].choose_reference_before.has_value());
}

}  // namespace
}  // namespace vggt
