// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <gmock/gmock.h>

#include "model/families/vggt.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

constexpr BlockId kEncoder1 = {BlockKind::kEncoder, 1};
constexpr BlockId kGlobal0 = {BlockKind::kGlobal, 0};
constexpr BlockId kFrame1 = {BlockKind::kFrame, 1};

// Two encoder blocks, then two frame and two global ones.
ModelPlan Small() {
  return VggtPlan({.dim = 64,
                   .depth = 2,
                   .head_dim = 16,
                   .hidden = 100,
                   .registers = 3,
                   .has_encoder = true,
                   .encoder_depth = 2,
                   .encoder_registers = 1,
                   .position_grid = 5});
}

std::vector<BlockId> Blocks(const ModelPlan& plan) {
  std::vector<BlockId> ids;
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) ids.push_back(block.id);
  }
  return ids;
}

TEST(Plan, CountsAndFindsBlocks) {
  const ModelPlan plan = Small();
  EXPECT_EQ(plan.dim(), 64);
  EXPECT_EQ(plan.count(BlockKind::kGlobal), 2);
  EXPECT_EQ(plan.count(BlockKind::kEncoder), 2);
  EXPECT_EQ(plan.first(BlockKind::kGlobal)->id, kGlobal0);
  EXPECT_EQ(plan.stage_of(BlockKind::kFrame), &plan.stages[1]);
  EXPECT_EQ(plan.stage_of(BlockKind::kEncoder), &plan.stages[0]);
  const ModelPlan bare = VggtPlan({.dim = 64, .depth = 2, .head_dim = 16, .hidden = 100});
  EXPECT_EQ(bare.count(BlockKind::kEncoder), 0);
  EXPECT_EQ(bare.first(BlockKind::kEncoder), nullptr);
  EXPECT_EQ(bare.stage_of(BlockKind::kEncoder), nullptr);
}

TEST(Plan, TokensOfEachStage) {
  const ModelPlan plan = Small();
  const FrameBatch frames{3, 2 * 14, 5 * 14, nullptr};
  EXPECT_EQ(plan.grid(frames), (TokenGrid{3, 4, 2, 5}));
  EXPECT_EQ(plan.grid(frames, plan.stages[0]), (TokenGrid{3, 2, 2, 5}));
}

TEST(Plan, KeysOfAQuery) {
  const TokenGrid grid{3, 4, 2, 5};
  BlockSpec block;
  EXPECT_EQ(block.keys_per_query(grid), 3 * 14);
  block.attends = Attends::kFrame;
  EXPECT_EQ(block.keys_per_query(grid), 14);
  block.attends = Attends::kCausal;
  EXPECT_EQ(block.keys_per_query(grid), (1 + 2 + 3) / 3.0 * 14);
}

TEST(Plan, IsCutAfterTheLastWantedBlock) {
  const ModelPlan plan =
      TruncatePlan(Small(), [](BlockId block) { return block == kGlobal0 || block == kEncoder1; });
  EXPECT_THAT(Blocks(plan), ElementsAre(BlockId{BlockKind::kEncoder, 0}, kEncoder1,
                                        BlockId{BlockKind::kFrame, 0}, kGlobal0));
  const BlockSpec &before = plan.stages[1].blocks[0], &last = plan.stages[1].blocks[1];
  EXPECT_TRUE(before.rest.has_value());
  EXPECT_EQ(before.qkv.out, 3 * 64);
  EXPECT_FALSE(last.rest.has_value());
  EXPECT_EQ(last.qkv.out, 2 * 64);
  EXPECT_EQ(before.weights(), 4 * 64 * 64 + 2 * 64 * 100);
  EXPECT_EQ(last.weights(), 2 * 64 * 64);
  EXPECT_TRUE(plan.stages[0].norm.has_value());
}

TEST(Plan, MayEndInsideTheEncoder) {
  const ModelPlan plan = TruncatePlan(Small(), kEncoder1);
  ASSERT_EQ(plan.stages.size(), 1U);
  EXPECT_THAT(Blocks(plan), ElementsAre(BlockId{BlockKind::kEncoder, 0}, kEncoder1));
  EXPECT_FALSE(plan.stages[0].blocks[1].rest.has_value());
  EXPECT_FALSE(plan.stages[0].norm.has_value());
}

TEST(Plan, BlocksThatAHeadReadsStayWhole) {
  ModelPlan plan = Small();
  plan.taps = {kFrame1};
  const ModelPlan cut = TruncatePlan(plan, kGlobal0);
  EXPECT_EQ(Blocks(cut).back(), kFrame1);
  EXPECT_TRUE(cut.stages[1].blocks.back().rest.has_value());
  plan.taps = {kGlobal0};
  const ModelPlan longer = TruncatePlan(plan, kFrame1);
  EXPECT_EQ(Blocks(longer).back(), kFrame1);
  EXPECT_FALSE(longer.stages[1].blocks.back().rest.has_value());
}

TEST(Plan, WithoutAWantedBlockIsRefused) {
  EXPECT_THAT(ErrorOf([] {
                TruncatePlan(Small(), {BlockKind::kGlobal, 2});
              }),
              HasSubstr("no block of the model is wanted"));
}

TEST(Plan, NamesItsTensors) {
  std::vector<std::string> names;
  for (const WantedTensor& tensor : PlanTensors(Small())) {
    names.push_back(tensor.name + " " + ShapeText(tensor.shape) + (tensor.used ? "" : " unused"));
  }
  // What precedes the encoder's blocks, and a block with LayerScale and q/k-norm.
  const std::vector<std::string> start(names.begin(), names.begin() + 8);
  EXPECT_THAT(
      start,
      ElementsAre("camera_token [1, 2, 1, 64]", "register_token [1, 2, 3, 64]",
                  "patch_embed.cls_token [1, 1, 64]", "patch_embed.pos_embed [1, 26, 64]",
                  "patch_embed.register_tokens [1, 1, 64]", "patch_embed.mask_token [1, 64] unused",
                  "patch_embed.norm.weight [64]", "patch_embed.norm.bias [64]"));
  const std::vector<std::string> end(names.end() - 18, names.end());
  const std::string p = "global_blocks.1.";
  EXPECT_THAT(
      end,
      ElementsAre(p + "norm1.weight [64]", p + "norm1.bias [64]", p + "attn.qkv.weight [192, 64]",
                  p + "attn.qkv.bias [192]", p + "attn.proj.weight [64, 64]",
                  p + "attn.proj.bias [64]", p + "ls1.gamma [64]", p + "norm2.weight [64]",
                  p + "norm2.bias [64]", p + "mlp.fc1.weight [100, 64]", p + "mlp.fc1.bias [100]",
                  p + "mlp.fc2.weight [64, 100]", p + "mlp.fc2.bias [64]", p + "ls2.gamma [64]",
                  p + "attn.q_norm.weight [16]", p + "attn.q_norm.bias [16]",
                  p + "attn.k_norm.weight [16]", p + "attn.k_norm.bias [16]"));
}

}  // namespace
}  // namespace vggt
