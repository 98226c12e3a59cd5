// SPDX-License-Identifier: Apache-2.0
// Whole passes are held against the specification in tests/families_test.cc.
#include "model/families/omega.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "testing.h"

namespace vggt {
namespace {

ModelPlan OmegaPublished(bool bias_masks = true) {
  return OmegaPlan({.dim = 1024,
                    .depth = 24,
                    .head_dim = 64,
                    .hidden = 4096,
                    .registers = 16,
                    .encoder_depth = 24,
                    .encoder_head_dim = 64,
                    .storage_tokens = 4,
                    .bias_masks = bias_masks});
}

TEST(Omega, SomeBlocksBetweenFramesAreOfSpecialTokensAlone) {
  const ModelPlan plan = OmegaPublished();
  EXPECT_EQ(plan.family, "VGGT-Omega");
  EXPECT_EQ(plan.text,
            "19 global, 5 register and 24 frame blocks, 1024 channels, 16 heads of 64, DINOv3 "
            "encoder of 24 blocks");
  EXPECT_EQ(plan.count(BlockKind::kGlobal), 19);
  EXPECT_EQ(plan.count(BlockKind::kFrame), 24);
  EXPECT_EQ(plan.depth(), 24);
  const auto global = plan.numbers(BlockKind::kGlobal);
  for (const int64_t i : {2, 6, 9, 14, 20}) EXPECT_EQ(std::ranges::count(global, i), 0) << i;
  const BlockSpec& block = plan.stages[1].blocks[2 * 6 + 1];
  EXPECT_EQ(block.id, (BlockId{BlockKind::kGlobal, 6}));
  EXPECT_TRUE(block.specials_only);
  EXPECT_EQ(block.grid({3, 17, 20, 32}), (TokenGrid{3, 17, 0, 0}));
  EXPECT_EQ(plan.stages[1].special_tokens(), 17);
}

TEST(Omega, FrameBlocksAloneAreRotated) {
  const ModelPlan plan = OmegaPublished();
  EXPECT_EQ(plan.patch_size, 16);
  EXPECT_EQ(plan.picture_rule, PictureRule::kOmega);
  EXPECT_EQ(plan.stages[0].blocks[0].rope.kind, Rotary::kDinov3);
  EXPECT_EQ(plan.stages[1].blocks[0].rope.kind, Rotary::kDinov3);
  EXPECT_EQ(plan.stages[1].blocks[0].rope.stored().type, RopeType::kApplied);
  EXPECT_EQ(plan.stages[1].blocks[1].rope.kind, Rotary::kNone);
  EXPECT_EQ(plan.stages[1].periods, "rope_embed.periods");
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) {
      EXPECT_EQ(block.norm1.eps, 1e-5F);
      if (block.q_norm) {
        EXPECT_EQ(block.q_norm->eps, 1e-5F);
      }
    }
  }
  EXPECT_EQ(plan.stages[0].norm->eps, 1e-5F);
}

TEST(Omega, BiasesAreMaskedOrKeysHaveNone) {
  const LinearSpec masked = OmegaPublished().stages[1].blocks[0].qkv;
  EXPECT_EQ(masked.bias_mask, "frame_blocks.0.attn.qkv.bias_mask");
  EXPECT_EQ(masked.no_bias.count, 0);
  const LinearSpec plain = OmegaPublished(false).stages[1].blocks[0].qkv;
  EXPECT_EQ(plain.bias_mask, "");
  EXPECT_EQ(plain.no_bias.first, 1024);
  EXPECT_EQ(plain.no_bias.count, 1024);
  EXPECT_EQ(PlanTensors(OmegaPublished()).size() - PlanTensors(OmegaPublished(false)).size(), 72U);
}

}  // namespace
}  // namespace vggt
