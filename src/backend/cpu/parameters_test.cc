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

TEST(Parameters, ReadsOnlyWhatTheLastLayerNeeds) {
  const TestDir dir;
  const ModelConfig& config = SyntheticPresets()[3].config;  // tiny-conv, three layers
  WriteSyntheticCheckpoint(dir / "w", config, DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  std::vector<double> shares;
  const AggregatorParameters parameters = LoadParameters(
      checkpoint, config, 1, Precision::kF32, [&](double share) { shares.push_back(share); });
  EXPECT_THAT(shares, ::testing::ElementsAre(0.25, 0.5, 0.75, 1));
  ASSERT_EQ(parameters.global_blocks.size(), 2U);
  EXPECT_TRUE(parameters.global_blocks[0].rest.has_value());
  EXPECT_FALSE(parameters.global_blocks[1].rest.has_value());
  EXPECT_EQ(parameters.global_blocks[0].qkv.out(), 3 * 64);
  EXPECT_EQ(parameters.global_blocks[1].qkv.out(), 2 * 64);
  EXPECT_EQ(parameters.camera_token.size(), 2U * 64);
}

TEST(Parameters, Precision) {
  const TestDir dir;
  const ModelConfig& config = SyntheticPresets()[3].config;
  WriteSyntheticCheckpoint(dir / "w", config, DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  for (const enum Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (precision == Precision::kBf16 && !MultipliesBf16()) continue;
    const AggregatorParameters parameters = LoadParameters(checkpoint, config, 1, precision);
    EXPECT_EQ(parameters.precision, precision);
    EXPECT_EQ(parameters.encoder.projection.precision(), Precision::kF32);
    for (const auto* blocks : {&parameters.frame_blocks, &parameters.global_blocks}) {
      for (const BlockParameters& block : *blocks) EXPECT_EQ(block.qkv.precision(), precision);
    }
    EXPECT_EQ(parameters.frame_blocks[0].rest->fc2.precision(), precision);
  }
}

TEST(Parameters, NamesTheTensorThatHoldsNan) {
  const TestDir dir;
  const ModelConfig& config = SyntheticPresets()[3].config;
  WriteSyntheticCheckpoint(dir / "w", config, DType::kF32, 1);
  std::string bytes = ReadFile(dir / "w");
  const Checkpoint whole = Checkpoint::Open(dir / "w");
  const std::string name = "aggregator.global_blocks.1.mlp.fc2.weight";
  // The same file, one value replaced, opened from memory.
  const std::string tensor(reinterpret_cast<const char*>(whole.Find(name)->bytes.data()), 64);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bytes.replace(bytes.find(tensor), sizeof(nan), reinterpret_cast<const char*>(&nan), sizeof(nan));
  const Checkpoint damaged = Checkpoint::FromMemory(testing::AsBytes(bytes), "damaged");
  EXPECT_THAT(ErrorOf([&] { LoadParameters(damaged, config, 2, Precision::kF32); }),
              HasSubstr("damaged: tensor " + name + " holds infinite or NaN values"));
  // Not read, not minded: the block after the last wanted layer.
  EXPECT_EQ(LoadParameters(damaged, config, 0, Precision::kF32).global_blocks.size(), 1U);
}

}  // namespace
}  // namespace vggt
