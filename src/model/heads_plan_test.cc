// SPDX-License-Identifier: Apache-2.0
#include "model/heads_plan.h"

#include <gmock/gmock.h>

#include <set>

#include "formats/safetensors.h"
#include "model/checkpoint_report.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

Checkpoint GoldenHeads() { return Checkpoint::Open(testing::Golden("heads/tiny.safetensors")); }

int64_t CountValues(const std::vector<WantedTensor>& tensors) {
  int64_t count = 0;
  for (const WantedTensor& tensor : tensors) count += NumElements(tensor.shape);
  return count;
}

// Counted in VGGT-1B's file.
TEST(HeadsPlan, Vggt1bHasTheFilesTensors) {
  const auto camera = HeadTensors(VggtCameraHead({}, kCameraHeadName));
  EXPECT_EQ(camera.size(), 69U);
  EXPECT_EQ(CountValues(camera), 216'174'610);
  const auto depth = HeadTensors(VggtDptHead({}, kDepthHeadName));
  EXPECT_EQ(depth.size(), 62U);
  EXPECT_EQ(CountValues(depth), 32'654'562);
  const auto points = HeadTensors(VggtDptHead({.outputs = 4}, kPointHeadName));
  EXPECT_EQ(points.size(), 62U);
  EXPECT_EQ(CountValues(points), 32'654'628);
}

TEST(HeadsPlan, AllTensorsOfTheGoldenHeadsAreNamedWithTheirShapes) {
  const Checkpoint checkpoint = GoldenHeads();
  const HeadsPlan heads = ReadHeads(checkpoint, ReadModelPlan(checkpoint), {.camera_heads = 4});
  ASSERT_TRUE(heads.camera && heads.depth && heads.points);
  const std::vector<WantedTensor> wanted = HeadTensors(heads);
  std::set<std::string> names;
  for (const WantedTensor& tensor : wanted) {
    names.insert(tensor.name);
    const TensorView* found = checkpoint.Find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
  }
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    EXPECT_EQ(names.contains(name), name.find("_head.") != std::string::npos) << name;
  }
  EXPECT_EQ(heads.camera->trunk.size(), 2U);
  EXPECT_EQ(heads.camera->trunk[0].head_dim, 8);
  EXPECT_EQ(heads.points->outputs, 4);
}

TEST(HeadsPlan, LayersAreThePublishedOrQuarters) {
  EXPECT_THAT(DefaultTapLayers(24), ElementsAre(4, 11, 17, 23));
  EXPECT_THAT(DefaultTapLayers(5), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(DefaultTapLayers(6), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(DefaultTapLayers(12), ElementsAre(2, 5, 8, 11));
  EXPECT_THAT(DefaultTapLayers(4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(DefaultTapLayers(1), ElementsAre(0, 0, 0, 0));
}

TEST(HeadsPlan, TapsAreOfTheHeadsThatAreThere) {
  HeadsPlan heads;
  heads.layers = {1, 2, 2, 4};
  EXPECT_THAT(TapLayers(heads, 6), ElementsAre());
  heads.camera.emplace();
  EXPECT_THAT(TapLayers(heads, 6), ElementsAre(5));
  heads.points.emplace();
  EXPECT_THAT(TapLayers(heads, 6), ElementsAre(1, 2, 4, 5));
  heads.camera.reset();
  EXPECT_THAT(TapLayers(heads, 6), ElementsAre(1, 2, 4));
}

TEST(HeadsPlan, HeadsStandBesideTheAggregatorWhateverItsPrefix) {
  const ModelPlan& tiny = SyntheticPresets()[3].plan;
  for (const auto& [model, head] :
       {std::pair{"m.aggregator.", "m."}, {"aggregator.", ""}, {"", ""}, {"x.", "x."}}) {
    const TestDir dir;
    SafetensorsWriter writer(
        dir / "w", {{std::string(head) + "depth_head.norm.weight", DType::kF32, {128}}}, {});
    writer.Append(std::vector<uint8_t>(512));
    writer.Commit();
    ModelPlan plan = tiny;
    plan.prefix = model;
    const HeadsPlan heads = ReadHeads(Checkpoint::Open(dir / "w"), plan);
    EXPECT_EQ(heads.prefix, head);
    EXPECT_TRUE(heads.depth.has_value());
    EXPECT_FALSE(heads.camera.has_value());
    EXPECT_FALSE(heads.points.has_value());
  }
}

// So that its tensors are missed.
TEST(HeadsPlan, ACameraHeadHasATrunk) {
  const TestDir dir;
  SafetensorsWriter writer(dir / "w", {{"camera_head.embed_pose.bias", DType::kF32, {128}}}, {});
  writer.Append(std::vector<uint8_t>(512));
  writer.Commit();
  const HeadsPlan heads = ReadHeads(Checkpoint::Open(dir / "w"), SyntheticPresets()[3].plan);
  EXPECT_EQ(heads.camera->trunk.size(), 1U);
}

TEST(HeadsPlan, WhatCannotBeIsRefused) {
  const Checkpoint checkpoint = GoldenHeads();
  const ModelPlan plan = ReadModelPlan(checkpoint);
  EXPECT_THAT(ErrorOf([&] { ReadHeads(checkpoint, plan, {.camera_heads = 5}); }),
              HasSubstr("32 channels cannot be 5 heads"));
  EXPECT_THAT(ErrorOf([&] {
                ReadHeads(checkpoint, plan, {.layers = {{0, 2, 3, 5}}, .camera_heads = 4});
              }),
              HasSubstr("there is no layer 6 in this model, which has 1 to 5"));
}

}  // namespace
}  // namespace vggt
