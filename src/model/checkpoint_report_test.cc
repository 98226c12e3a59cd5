// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint_report.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "model/families/pi3.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

using Tensors = std::vector<SafetensorsWriter::Entry>;

// A checkpoint of zeros.
Checkpoint Make(const TestDir& dir, const Tensors& tensors) {
  SafetensorsWriter writer(dir / "w.safetensors", tensors, {});
  for (const auto& t : tensors) {
    writer.Append(std::vector<uint8_t>(NumElements(t.shape) * DTypeSize(t.dtype)));
  }
  writer.Commit();
  return Checkpoint::Open(dir / "w.safetensors");
}

Tensors Whole(const ModelPlan& plan, const std::string& prefix = "aggregator.") {
  Tensors tensors;
  for (const WantedTensor& t : PlanTensors(plan)) {
    tensors.push_back({prefix + t.name, DType::kF16, t.shape});
  }
  return tensors;
}

const ModelPlan& TinyConv() { return SyntheticPresets()[3].plan; }
const ModelPlan& TinyDino() { return SyntheticPresets()[2].plan; }

TEST(CheckpointReport, ThePlanIsReadOffNamesAndShapes) {
  for (const int preset : {1, 2, 3}) {
    const TestDir dir;
    const ModelPlan& expected = SyntheticPresets()[preset].plan;
    const ModelPlan plan = ReadModelPlan(Make(dir, Whole(expected)));
    EXPECT_EQ(plan.family, expected.family);
    EXPECT_EQ(plan.text, expected.text);
    const auto names = [](const ModelPlan& of) {
      std::vector<std::string> all;
      for (const WantedTensor& t : PlanTensors(of)) all.push_back(t.name + ShapeText(t.shape));
      return all;
    };
    EXPECT_EQ(names(plan), names(expected));
  }
}

TEST(CheckpointReport, AnyPrefixIsFound) {
  for (const char* prefix : {"", "aggregator.", "model.module.aggregator.",
                             "state_dict._orig_mod.aggregator.", "encoder.aggregator."}) {
    const TestDir dir;
    EXPECT_EQ(ReadModelPlan(Make(dir, Whole(TinyConv(), prefix))).prefix, prefix);
  }
}

// What belongs to a Pi3X and is not read is known by name; nothing else is passed over.
TEST(CheckpointReport, TensorsThatAFamilyDoesNotHaveAreRefused) {
  const ModelPlan pi3 = Pi3Plan({.dim = 64,
                                 .depth = 2,
                                 .head_dim = 16,
                                 .hidden = 128,
                                 .registers = 5,
                                 .encoder_depth = 1,
                                 .encoder_registers = 4,
                                 .position_grid = 3});
  Tensors tensors = Whole(pi3, "");
  for (const char* known : {"point_decoder.blocks.0.attn.qkv.weight", "image_mean",
                            "pose_inject_blk.0.norm1.weight", "metric_token"}) {
    tensors.push_back({known, DType::kF16, {2}});
  }
  {
    const TestDir dir;
    const CheckpointReport report = InspectCheckpoint(Make(dir, tensors));
    EXPECT_EQ(report.problems, std::vector<std::string>{});
    EXPECT_EQ(report.ignored, 4U);
    EXPECT_EQ(report.plan.family, "Pi3X architecture");
  }
  tensors.push_back({"decoder.1.attn.gate.weight", DType::kF16, {2}});
  const TestDir dir;
  const Checkpoint checkpoint = Make(dir, tensors);
  EXPECT_THAT(ErrorOf([&] { ReadModelPlan(checkpoint); }),
              HasSubstr("decoder.1.attn.gate.weight is no tensor of Pi3X architecture"));
}

TEST(CheckpointReport, HeadsAreReported) {
  const Checkpoint golden = Checkpoint::Open(testing::Golden("heads/tiny.safetensors"));
  const CheckpointReport report = InspectCheckpoint(golden);
  ASSERT_EQ(report.heads.size(), 3U);
  EXPECT_EQ(report.heads[0].name, "camera_head");
  EXPECT_EQ(report.heads[2].name, "point_head");
  for (const HeadReport& head : report.heads) {
    EXPECT_EQ(head.found, head.wanted) << head.name;
    EXPECT_TRUE(head.problems.empty()) << head.name;
  }
  EXPECT_EQ(report.ignored, 0U);
}

TEST(CheckpointReport, WantedHeadsMustBeWhole) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv(), "m.aggregator.");
  const DptSpec depth = VggtDptHead(
      {.width = 128, .channels = {8, 8, 8, 8}, .features = 8, .half = 4, .last = 4, .outputs = 2},
      "depth_head");
  for (const WantedTensor& t : HeadTensors(depth)) {
    if (t.name == "depth_head.norm.bias") continue;
    const bool wrong = t.name == "depth_head.resize_layers.3.bias";
    tensors.push_back({"m." + t.name, DType::kF16, wrong ? Shape{9} : t.shape});
  }
  const Checkpoint checkpoint = Make(dir, tensors);
  const ModelPlan model = ReadModelPlan(checkpoint);
  EXPECT_THAT(ErrorOf([&] { ReadHeadsPlan(checkpoint, model, {.camera = true}); }),
              HasSubstr("has no camera_head: no tensor is named m.camera_head.…"));
  EXPECT_THAT(ErrorOf([&] { ReadHeadsPlan(checkpoint, model, {.depth = true}); }),
              AllOf(HasSubstr("2 of 62 tensors of the depth_head are missing or wrong"),
                    HasSubstr("m.depth_head.norm.bias is missing"),
                    HasSubstr("m.depth_head.resize_layers.3.bias has shape [9], expected [8]")));
  const HeadsPlan none = ReadHeadsPlan(checkpoint, model, {});
  EXPECT_FALSE(none.depth.has_value());
  ASSERT_EQ(InspectCheckpoint(checkpoint).heads.size(), 1U);
  EXPECT_EQ(InspectCheckpoint(checkpoint).heads[0].found, 60U);
}

TEST(CheckpointReport, OthersAreIgnoredAndCounted) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv());
  tensors.push_back({"camera_head.token", DType::kF32, {3}});
  tensors.push_back({"depth_head.a", DType::kF32, {3}});
  tensors.push_back({"depth_head.b", DType::kF32, {3}});
  const CheckpointReport report = InspectCheckpoint(Make(dir, tensors));
  EXPECT_EQ(report.ignored, 3U);
  EXPECT_THAT(report.ignored_groups, ElementsAre("camera_head (1)", "depth_head (2)"));
  EXPECT_EQ(report.found, report.wanted);
}

TEST(CheckpointReport, MaskTokenIsNotNeeded) {
  const TestDir dir;
  Tensors tensors = Whole(TinyDino());
  std::erase_if(tensors, [](const auto& t) { return t.name.ends_with("mask_token"); });
  EXPECT_EQ(ReadModelPlan(Make(dir, tensors)).count(BlockKind::kEncoder), 2);
}

TEST(CheckpointReport, EverythingWrongIsNamedAtOnce) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv());
  std::erase_if(tensors, [](const auto& t) { return t.name.ends_with("1.ls1.gamma"); });
  for (auto& t : tensors) {
    if (t.name == "aggregator.global_blocks.2.norm1.bias") t.shape = {63};
  }
  const Checkpoint checkpoint = Make(dir, tensors);
  EXPECT_THAT(ErrorOf([&] { ReadModelPlan(checkpoint); }),
              AllOf(HasSubstr("3 of 112 tensors are missing or wrong"),
                    HasSubstr("aggregator.frame_blocks.1.ls1.gamma is missing"),
                    HasSubstr("aggregator.global_blocks.1.ls1.gamma is missing"),
                    HasSubstr("global_blocks.2.norm1.bias has shape [63], expected [64]")));
}

TEST(CheckpointReport, OneMessageNamesTwentyProblemsAtMost) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv());
  // Of 6 blocks each: four linear layers, two norms of channels, two of heads.
  std::erase_if(tensors, [](const auto& t) {
    return t.name.ends_with(".bias") && t.name.find("_blocks.") != std::string::npos;
  });
  const Checkpoint checkpoint = Make(dir, tensors);
  const std::string error = ErrorOf([&] { ReadModelPlan(checkpoint); });
  EXPECT_THAT(error, AllOf(HasSubstr("48 of 112 tensors are missing or wrong"),
                           HasSubstr("and 28 more: 'vggt-attn inspect' names them all")));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 21);
}

TEST(CheckpointReport, UnknownModelsAreRefused) {
  const TestDir dir;
  const Checkpoint checkpoint = Make(dir, {{"decoder.1.attn.qkv.weight", DType::kF32, {2}}});
  EXPECT_THAT(ErrorOf([&] { ReadModelPlan(checkpoint); }),
              AllOf(HasSubstr("holds no model of a family that is read (VGGT, StreamVGGT, Pi3,"),
                    HasSubstr("Pi3 is the nearest: 1 tensor is named …decoder.…, but none "
                              "…decoder.0.attn.qkv.weight.")));
}

TEST(CheckpointReport, AKeyChoosesAmongSeveralModels) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv(), "model.");
  const Tensors second = Whole(TinyDino(), "ema.module.aggregator.");
  tensors.insert(tensors.end(), second.begin(), second.end());
  const Checkpoint checkpoint = Make(dir, tensors);
  EXPECT_THAT(ErrorOf([&] { ReadModelPlan(checkpoint); }),
              HasSubstr("holds several models. Choose one with `weights_key`: ema.module, model"));
  EXPECT_THAT(
      ErrorOf([&] { ReadModelPlan(checkpoint, "ema.modul"); }),
      HasSubstr("holds no model 'ema.modul'. Choose one with `weights_key`: ema.module, model"));
  EXPECT_EQ(ReadModelPlan(checkpoint, "model").text, TinyConv().text);
  const CheckpointReport report = InspectCheckpoint(checkpoint, "ema.module");
  EXPECT_EQ(report.plan.prefix, "ema.module.aggregator.");
  EXPECT_EQ(report.plan.text, TinyDino().text);
  EXPECT_EQ(report.found, report.wanted);
  EXPECT_THAT(report.ignored_groups, ElementsAre("model (112)"));
}

}  // namespace
}  // namespace vggt
