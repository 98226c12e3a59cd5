// SPDX-License-Identifier: Apache-2.0
// Whole passes are held against the specification in tests/families_test.cc.
#include "model/families/pi3.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

ModelPlan Pi3Published(bool takes_rays = false) {
  return Pi3Plan({.dim = 1024,
                  .depth = 36,
                  .head_dim = 64,
                  .hidden = 4096,
                  .registers = 5,
                  .takes_rays = takes_rays,
                  .encoder_depth = 24,
                  .encoder_registers = 4,
                  .position_grid = 37});
}

TEST(Pi3, OddBlocksOfOneListAreGlobal) {
  const ModelPlan plan = Pi3Published();
  EXPECT_EQ(plan.family, "Pi3");
  EXPECT_EQ(
      plan.text,
      "18 frame and 18 global blocks in one list, 1024 channels, 16 heads of 64, DINOv2 encoder "
      "of 24 blocks");
  EXPECT_EQ(plan.count(BlockKind::kGlobal), 18);
  EXPECT_EQ(plan.numbers(BlockKind::kGlobal).front(), 1);
  EXPECT_EQ(plan.numbers(BlockKind::kFrame).back(), 34);
  EXPECT_EQ(plan.depth(), 36);
  const StageSpec& stage = plan.stages.back();
  EXPECT_EQ(stage.blocks[1].qkv.name, "decoder.1.attn.qkv");
  EXPECT_EQ(stage.blocks[1].attends, Attends::kAll);
  EXPECT_EQ(stage.blocks[2].attends, Attends::kFrame);
  for (const StageSpec& each : plan.stages) {
    for (const BlockSpec& block : each.blocks) {
      EXPECT_EQ(block.norm1.eps, 1e-6F);
      EXPECT_EQ(block.rest->norm2.eps, 1e-6F);
    }
  }
  EXPECT_EQ(plan.stages[0].norm->eps, 1e-6F);
  EXPECT_EQ(stage.blocks[0].q_norm->eps, 1e-5F);
  EXPECT_EQ(stage.blocks[0].rope, (RotarySpec{Rotary::kVggt, 100, 1}));
  EXPECT_EQ(plan.picture_rule, PictureRule::kPi3);
}

TEST(Pi3, NoFrameIsTheReference) {
  const ModelPlan plan = Pi3Published();
  const StageSpec& stage = plan.stages.back();
  EXPECT_THAT(stage.token_names(),
              ElementsAre("register_1", "register_2", "register_3", "register_4", "register_5"));
  EXPECT_EQ(stage.tokens[0].shape, (Shape{1, 1, 5, 1024}));
  EXPECT_FALSE(stage.tokens[0].reference_apart);
}

TEST(Pi3, Pi3XOnPicturesIsPi3) {
  EXPECT_EQ(Pi3Published(true).family, "Pi3X");
  EXPECT_EQ(PlanTensors(Pi3Published(true)).size(), PlanTensors(Pi3Published()).size());
}

}  // namespace
}  // namespace vggt
