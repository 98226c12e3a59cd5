// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/parameters.h"

#include <gmock/gmock.h>

#include <limits>

#include "backend/cpu/bf16_support.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

const ModelPlan& TinyConv() { return SyntheticPresets()[3].plan; }  // three layers

TEST(Parameters, ReadsOnlyWhatThePlanNames) {
  const TestDir dir;
  WriteSyntheticCheckpoint(dir / "w", TinyConv(), DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  std::vector<double> shares;
  const ModelParameters parameters =
      LoadParameters(checkpoint, TruncatePlan(TinyConv(), {BlockKind::kGlobal, 1}), Precision::kF32,
                     [&](double share) { shares.push_back(share); });
  EXPECT_THAT(shares, ::testing::ElementsAre(0.25, 0.5, 0.75, 1));
  ASSERT_EQ(parameters.stages.size(), 1U);
  const StageParameters& stage = parameters.stages[0];
  ASSERT_EQ(stage.blocks.size(), 4U);
  EXPECT_TRUE(stage.blocks[2].rest.has_value());
  EXPECT_FALSE(stage.blocks[3].rest.has_value());
  EXPECT_EQ(stage.blocks[2].qkv.out(), 3 * 64);
  EXPECT_EQ(stage.blocks[3].qkv.out(), 2 * 64);
  EXPECT_EQ(stage.tokens[0].size(), 2U * 64);
  EXPECT_EQ(stage.tokens[1].size(), 2U * 4 * 64);
}

TEST(Parameters, OnlyTappedBlocksHaveGramsOfTheirOutput) {
  const TestDir dir;
  WriteSyntheticCheckpoint(dir / "w", TinyConv(), DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  ModelPlan plan = TinyConv();
  plan.taps = {{BlockKind::kGlobal, 1}};
  const ModelParameters parameters = LoadParameters(checkpoint, plan, Precision::kF32);
  for (size_t i = 0; i < plan.stages[0].blocks.size(); ++i) {
    const BlockSpec& spec = plan.stages[0].blocks[i];
    const FloatBuffer& grams = parameters.stages[0].blocks[i].rest->output_grams;
    if (!plan.tapped(spec.id)) {
      EXPECT_EQ(grams.size(), 0U);
      continue;
    }
    ASSERT_EQ(grams.size(), 4U * 16 * 16);
    // Of the third head's channels 1 and 5, from the weight as it is stored.
    const TensorView& view = *checkpoint.Find("aggregator.global_blocks.1.attn.proj.weight");
    std::vector<float> weight(64 * 64);
    CopyToF32(view, weight.data());
    double expected = 0;
    for (int64_t row = 0; row < 64; ++row) {
      expected += double{weight[row * 64 + 33]} * weight[row * 64 + 37];
    }
    EXPECT_NEAR(grams[(2 * 16 + 1) * 16 + 5], expected, 1e-5);
  }
}

TEST(Parameters, Precision) {
  const TestDir dir;
  WriteSyntheticCheckpoint(dir / "w", TinyConv(), DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  for (const enum Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (precision == Precision::kBf16 && !MultipliesBf16()) continue;
    const ModelParameters parameters = LoadParameters(checkpoint, TinyConv(), precision);
    EXPECT_EQ(parameters.precision, precision);
    EXPECT_EQ(parameters.projection.precision(), Precision::kF32);
    for (const BlockParameters& block : parameters.stages[0].blocks) {
      EXPECT_EQ(block.qkv.precision(), precision);
      EXPECT_EQ(block.rest->fc2.precision(), precision);
    }
  }
}

TEST(Parameters, NamesTheTensorThatHoldsNan) {
  const TestDir dir;
  WriteSyntheticCheckpoint(dir / "w", TinyConv(), DType::kF32, 1);
  std::string bytes = ReadFile(dir / "w");
  const Checkpoint whole = Checkpoint::Open(dir / "w");
  const std::string name = "aggregator.global_blocks.1.mlp.fc2.weight";
  // The same file, one value replaced, opened from memory.
  const std::string tensor(reinterpret_cast<const char*>(whole.Find(name)->bytes.data()), 64);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bytes.replace(bytes.find(tensor), sizeof(nan), reinterpret_cast<const char*>(&nan), sizeof(nan));
  const Checkpoint damaged = Checkpoint::FromMemory(testing::AsBytes(bytes), "damaged");
  EXPECT_THAT(ErrorOf([&] { LoadParameters(damaged, TinyConv(), Precision::kF32); }),
              HasSubstr("damaged: tensor " + name + " holds infinite or NaN values"));
  // Not read, not minded: the block after the last wanted layer.
  const ModelPlan first = TruncatePlan(TinyConv(), {BlockKind::kGlobal, 0});
  EXPECT_EQ(LoadParameters(damaged, first, Precision::kF32).stages[0].blocks.size(), 2U);
}

}  // namespace
}  // namespace vggt
