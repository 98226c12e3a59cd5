// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
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

Tensors Whole(const ModelConfig& config, const std::string& prefix = "aggregator.") {
  Tensors tensors;
  for (const WantedTensor& t : WantedTensors(config)) {
    tensors.push_back({prefix + t.name, DType::kF16, t.shape});
  }
  return tensors;
}

const ModelConfig& TinyConv() { return SyntheticPresets()[3].config; }
const ModelConfig& TinyDino() { return SyntheticPresets()[2].config; }

TEST(Config, Vggt1bHas1210TensorsOfTheAggregator) {
  const ModelConfig& config = SyntheticPresets()[0].config;
  int64_t parameters = 0;
  const auto wanted = WantedTensors(config);
  for (const WantedTensor& t : wanted) parameters += NumElements(t.shape);
  EXPECT_EQ(wanted.size(), 1210U);
  EXPECT_EQ(parameters, 909'112'320);
  EXPECT_EQ(ModelFamily(config), "VGGT-1B");
  EXPECT_EQ(ModelText(config),
            "24 global and 24 frame blocks, 1024 channels, 16 heads of 64, DINOv2 encoder of 24 "
            "blocks");
}

TEST(Config, ExtentsAreReadOffNamesAndShapes) {
  for (const ModelConfig& expected : {TinyConv(), TinyDino(), SyntheticPresets()[1].config}) {
    const TestDir dir;
    const ModelConfig config = ReadModelConfig(Make(dir, Whole(expected)));
    EXPECT_EQ(config.dim, expected.dim);
    EXPECT_EQ(config.depth, expected.depth);
    EXPECT_EQ(config.head_dim, expected.head_dim);
    EXPECT_EQ(config.hidden, expected.hidden);
    EXPECT_EQ(config.registers, expected.registers);
    EXPECT_EQ(config.encoder, expected.encoder);
    EXPECT_EQ(config.encoder_depth, expected.encoder_depth);
    EXPECT_EQ(config.position_grid, expected.position_grid);
  }
}

TEST(Config, AnyPrefixIsFound) {
  for (const char* prefix : {"", "aggregator.", "model.module.aggregator.",
                             "state_dict._orig_mod.aggregator.", "encoder.aggregator."}) {
    const TestDir dir;
    EXPECT_EQ(ReadModelConfig(Make(dir, Whole(TinyConv(), prefix))).prefix, prefix);
  }
}

TEST(Config, HeadsAreIgnoredAndCounted) {
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

TEST(Config, MaskTokenIsNotNeeded) {
  const TestDir dir;
  Tensors tensors = Whole(TinyDino());
  std::erase_if(tensors, [](const auto& t) { return t.name.ends_with("mask_token"); });
  EXPECT_EQ(ReadModelConfig(Make(dir, tensors)).encoder_depth, 2);
}

TEST(Config, EverythingWrongIsNamedAtOnce) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv());
  std::erase_if(tensors, [](const auto& t) { return t.name.ends_with("1.ls1.gamma"); });
  for (auto& t : tensors) {
    if (t.name == "aggregator.global_blocks.2.norm1.bias") t.shape = {63};
  }
  const Checkpoint checkpoint = Make(dir, tensors);
  EXPECT_THAT(ErrorOf([&] { ReadModelConfig(checkpoint); }),
              AllOf(HasSubstr("3 of 112 tensors are missing or wrong"),
                    HasSubstr("aggregator.frame_blocks.1.ls1.gamma is missing"),
                    HasSubstr("aggregator.global_blocks.1.ls1.gamma is missing"),
                    HasSubstr("global_blocks.2.norm1.bias has shape [63], expected [64]")));
}

TEST(Config, OneMessageNamesTwentyProblemsAtMost) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv());
  // Of 6 blocks each: four linear layers, two norms of channels, two of heads.
  std::erase_if(tensors, [](const auto& t) {
    return t.name.ends_with(".bias") && t.name.find("_blocks.") != std::string::npos;
  });
  const Checkpoint checkpoint = Make(dir, tensors);
  const std::string error = ErrorOf([&] { ReadModelConfig(checkpoint); });
  EXPECT_THAT(error, AllOf(HasSubstr("48 of 112 tensors are missing or wrong"),
                           HasSubstr("and 28 more: 'vggt-attn inspect' names them all")));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 21);
}

TEST(Config, OtherModelsAreRecognised) {
  const std::pair<const char*, const char*> cases[] = {
      {"aggregator.inter_frame_blocks.0.norm1.weight", "VGGT-Omega"},
      {"decoder.0.attn.qkv.weight", "Pi3"},
      {"dec_blocks2.0.norm1.weight", "DUSt3R"},
      {"blocks.0.attn.qkv.weight", "DINOv2"},
      {"lm_head.weight", "It holds 1 tensor, such as lm_head.weight"},
  };
  for (const auto& [name, text] : cases) {
    const TestDir dir;
    const Checkpoint checkpoint = Make(dir, {{name, DType::kF32, {2}}});
    EXPECT_THAT(ErrorOf([&] { ReadModelConfig(checkpoint); }),
                AllOf(HasSubstr("is no VGGT checkpoint"), HasSubstr(text)));
  }
}

TEST(Config, AKeyChoosesAmongSeveralModels) {
  const TestDir dir;
  Tensors tensors = Whole(TinyConv(), "model.");
  const Tensors second = Whole(TinyDino(), "ema.module.aggregator.");
  tensors.insert(tensors.end(), second.begin(), second.end());
  const Checkpoint checkpoint = Make(dir, tensors);
  EXPECT_THAT(ErrorOf([&] { ReadModelConfig(checkpoint); }),
              HasSubstr("holds several models. Choose one of them: ema.module, model."));
  EXPECT_THAT(ErrorOf([&] { ReadModelConfig(checkpoint, "ema.modul"); }),
              HasSubstr("holds no model 'ema.modul'. Choose one of them: ema.module, model."));
  EXPECT_EQ(ReadModelConfig(checkpoint, "model").encoder, EncoderKind::kConvolution);
  const CheckpointReport report = InspectCheckpoint(checkpoint, "ema.module");
  EXPECT_EQ(report.config.prefix, "ema.module.aggregator.");
  EXPECT_EQ(report.config.encoder_depth, TinyDino().encoder_depth);
  EXPECT_EQ(report.found, report.wanted);
  EXPECT_THAT(report.ignored_groups, ElementsAre("model (112)"));
}

TEST(Config, ImpossibleExtentsAreRefused) {
  for (const int64_t head_dim : {6, 24, 128}) {  // no multiple of 4; does not divide 64; too large
    const TestDir dir;
    Tensors tensors = Whole(TinyConv());
    for (auto& t : tensors) {
      if (t.name.find("q_norm") != std::string::npos) t.shape = {head_dim};
    }
    const Checkpoint checkpoint = Make(dir, tensors);
    EXPECT_THAT(ErrorOf([&] { ReadModelConfig(checkpoint); }), HasSubstr("cannot be heads of"));
  }
}

}  // namespace
}  // namespace vggt
