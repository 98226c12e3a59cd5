// SPDX-License-Identifier: Apache-2.0
#include "model/families/vggt.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

const ModelPlan& Vggt1b() { return SyntheticPresets()[0].plan; }
const ModelPlan& BareConvolution() { return SyntheticPresets()[3].plan; }

TEST(Vggt, Vggt1bHas1210Tensors) {
  const auto wanted = PlanTensors(Vggt1b());
  int64_t parameters = 0;
  for (const WantedTensor& t : wanted) parameters += NumElements(t.shape);
  EXPECT_EQ(wanted.size(), 1210U);
  EXPECT_EQ(parameters, 909'112'320);
  EXPECT_EQ(Vggt1b().family, "VGGT-1B");
  EXPECT_EQ(Vggt1b().text,
            "24 global and 24 frame blocks, 1024 channels, 16 heads of 64, DINOv2 encoder of 24 "
            "blocks");
}

TEST(Vggt, FrameAndGlobalBlocksRunByTurnsAfterTheEncoder) {
  const ModelPlan& plan = Vggt1b();
  ASSERT_EQ(plan.stages.size(), 2U);
  const StageSpec &encoder = plan.stages[0], &rest = plan.stages[1];
  ASSERT_EQ(encoder.blocks.size(), 24U);
  ASSERT_EQ(rest.blocks.size(), 48U);
  EXPECT_EQ(rest.blocks[6].id, (BlockId{BlockKind::kFrame, 3}));
  EXPECT_EQ(rest.blocks[7].id, (BlockId{BlockKind::kGlobal, 3}));
  EXPECT_EQ(rest.blocks[7].qkv.name, "global_blocks.3.attn.qkv");
  EXPECT_EQ(rest.blocks[7].attends, Attends::kAll);
  EXPECT_EQ(rest.blocks[6].attends, Attends::kFrame);
  EXPECT_EQ(encoder.blocks[5].attends, Attends::kFrame);
  EXPECT_EQ(rest.blocks[6].rope, (RotarySpec{Rotary::kVggt, 100, 1}));
  EXPECT_EQ(encoder.blocks[5].rope.kind, Rotary::kNone);
  EXPECT_EQ(encoder.blocks[5].norm1.eps, 1e-6F);
  EXPECT_EQ(rest.blocks[6].norm1.eps, 1e-5F);
  EXPECT_EQ(rest.blocks[6].q_norm->width, 64);
  EXPECT_FALSE(encoder.blocks[5].q_norm.has_value());
  EXPECT_THAT(encoder.token_names(),
              ElementsAre("cls", "register_1", "register_2", "register_3", "register_4"));
  EXPECT_THAT(rest.token_names(),
              ElementsAre("camera", "register_1", "register_2", "register_3", "register_4"));
  EXPECT_TRUE(rest.tokens[0].reference_apart);
  EXPECT_FALSE(encoder.tokens[0].reference_apart);
}

TEST(Vggt, StreamVggtHasItsTensorsAndSeesNoLaterPicture) {
  const ModelPlan plan =
      StreamVggtPlan({.dim = 64, .depth = 2, .head_dim = 16, .hidden = 256, .registers = 4});
  EXPECT_EQ(plan.family, "StreamVGGT architecture");
  EXPECT_EQ(plan.stages[0].blocks[0].attends, Attends::kFrame);
  EXPECT_EQ(plan.stages[0].blocks[1].attends, Attends::kCausal);
  EXPECT_FALSE(plan.vggt_heads);
  EXPECT_TRUE(Vggt1b().vggt_heads);
}

TEST(Vggt, ABareConvolutionIsNoStage) {
  const ModelPlan& plan = BareConvolution();
  ASSERT_EQ(plan.stages.size(), 1U);
  EXPECT_EQ(plan.projection.name, "patch_embed.proj");
  EXPECT_EQ(plan.stages[0].blocks[0].heads, 4);
  EXPECT_EQ(
      plan.text,
      "3 global and 3 frame blocks, 64 channels, 4 heads of 16, patch convolution as encoder");
}

TEST(Vggt, ImpossibleExtentsAreRefused) {
  for (const int64_t head_dim : {6, 24, 128}) {  // no multiple of 4; does not divide 64; too large
    const TestDir dir;
    std::vector<SafetensorsWriter::Entry> tensors;
    for (const WantedTensor& t : PlanTensors(BareConvolution())) {
      const bool norm = t.name.find("q_norm") != std::string::npos;
      tensors.push_back({t.name, DType::kF16, norm ? Shape{head_dim} : t.shape});
    }
    SafetensorsWriter writer(dir / "w", tensors, {});
    for (const auto& t : tensors) writer.Append(std::vector<uint8_t>(2 * NumElements(t.shape)));
    writer.Commit();
    const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
    EXPECT_THAT(ErrorOf([&] { ReadVggtExtents(checkpoint, ""); }), HasSubstr("cannot be heads of"));
  }
}

TEST(Vggt, AMissingTensorFromWhichAnExtentIsReadIsNamed) {
  const TestDir dir;
  SafetensorsWriter writer(dir / "w", {{"m.global_blocks.0.attn.qkv.weight", DType::kF16, {24, 8}}},
                           {});
  writer.Append(std::vector<uint8_t>(2 * 24 * 8));
  writer.Commit();
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  EXPECT_THAT(ErrorOf([&] { ReadVggtExtents(checkpoint, "m."); }),
              HasSubstr("tensor m.global_blocks.0.attn.q_norm.weight is missing"));
  EXPECT_THAT(ErrorOf([&] { ReadVggtExtents(checkpoint, ""); }),
              HasSubstr("tensor global_blocks.0.attn.qkv.weight is missing"));
}

}  // namespace
}  // namespace vggt
