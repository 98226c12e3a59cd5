// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/stage.h"

#include <gtest/gtest.h>

#include "backend/cpu/embedding.h"
#include "trace_testing.h"

namespace vggt {
namespace {

using testing::Trace;

TEST(Stage, TheEncodersPatchTokensEqualTheTrace) {
  const Trace trace;
  const auto expected = Trace::Load("patch_tokens");
  const ModelPlan& plan = trace.plan();
  const StageSpec& spec = plan.stages[0];
  const TokenGrid grid = trace.grid(spec);
  const ModelParameters parameters = LoadParameters(trace.checkpoint(), plan, Precision::kF32);
  const StageParameters& stage = parameters.stages[0];
  Workspace workspace(plan, grid.tokens(), Precision::kF32);
  const FloatBuffer projected =
      ProjectPatches(trace.frames(), plan.patch_size, parameters.projection, workspace.products);
  std::vector<float> x(grid.tokens() * plan.dim());
  AssembleTokens(spec, stage, grid, projected.data(), plan.dim(), 0, x.data());
  int64_t blocks = 0;
  RunBlocks(spec, stage, grid, x.data(),
            {{}, [&](const BlockSpec& block) { EXPECT_EQ(block.id.index, blocks++); }}, workspace);
  EXPECT_EQ(blocks, plan.count(BlockKind::kEncoder));
  const FloatBuffer out = PatchTokens(stage, grid, x.data(), plan.dim());
  // float32 against the specification's float64.
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 2e-5) << i;
}

// Two frames of one patch, tokens of one channel.
TEST(Stage, TheReferenceMayHaveTokensOfItsOwn) {
  StageSpec spec;
  spec.tokens = {{"a", {1, 2, 1, 1}, {"camera"}, true}, {"b", {1, 2, 1}, {"one", "two"}}};
  StageParameters stage;
  for (const std::vector<float>& values : {std::vector{1.F, 2.F}, std::vector{3.F, 4.F}}) {
    stage.tokens.emplace_back(values.size());
    std::copy(values.begin(), values.end(), stage.tokens.back().data());
  }
  const float patches[] = {5, 6};
  std::vector<float> x(8);
  AssembleTokens(spec, stage, {2, 3, 1, 1}, patches, 1, 1, x.data());
  EXPECT_EQ(x, (std::vector<float>{2, 3, 4, 5, 1, 3, 4, 6}));
  AssembleTokens(spec, stage, {2, 3, 1, 1}, patches, 1, 0, x.data());
  EXPECT_EQ(x, (std::vector<float>{1, 3, 4, 5, 2, 3, 4, 6}));
  const FloatBuffer handed_on = PatchTokens(stage, {2, 3, 1, 1}, x.data(), 1);
  EXPECT_EQ(std::vector<float>(handed_on.data(), handed_on.data() + 2), (std::vector<float>{5, 6}));
}

TEST(Stage, PositionsAreAddedToTheFirstTokenAndThePatches) {
  StageSpec spec;
  spec.tokens = {{"cls", {1, 1, 1}, {"cls"}}, {"registers", {1, 1, 1}, {"register_1"}}};
  spec.positions = {"positions", 1};
  StageParameters stage;
  for (const float value : {1.F, 2.F}) {
    stage.tokens.emplace_back(1);
    stage.tokens.back()[0] = value;
  }
  stage.positions = FloatBuffer(2);
  stage.positions[0] = 10;
  stage.positions[1] = 20;
  const float patches[] = {3};
  std::vector<float> x(3);
  AssembleTokens(spec, stage, {1, 2, 1, 1}, patches, 1, 0, x.data());
  EXPECT_EQ(x, (std::vector<float>{11, 2, 23}));
}

}  // namespace
}  // namespace vggt
