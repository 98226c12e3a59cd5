// SPDX-License-Identifier: Apache-2.0
#include "model/families.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "model/checkpoint_report.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// A checkpoint without values worth the name.
Checkpoint Named(const TestDir& dir, const std::vector<WantedTensor>& tensors) {
  std::vector<SafetensorsWriter::Entry> entries;
  for (const WantedTensor& t : tensors) entries.push_back({t.name, DType::kF16, t.shape});
  SafetensorsWriter writer(dir / "w", entries, {});
  for (const auto& t : entries) writer.Append(std::vector<uint8_t>(2 * NumElements(t.shape)));
  writer.Commit();
  return Checkpoint::Open(dir / "w");
}

TEST(Families, EachPresetHasTheAnchorsOfOneFamily) {
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    std::vector<std::string_view> anchors;
    for (const ModelFamily& family : ModelFamilies()) {
      for (const WantedTensor& tensor : PlanTensors(preset.plan)) {
        const bool found = tensor.name == family.anchor && !family.alone;
        if (found && (anchors.empty() || anchors.back() != family.anchor)) {
          anchors.push_back(family.anchor);
        }
      }
    }
    EXPECT_EQ(anchors.size(), 1U) << preset.name;
  }
}

TEST(Families, AnchorsAreWholeOrAfterADot) {
  EXPECT_TRUE(IsAnchor("a.b", "a.b"));
  EXPECT_TRUE(IsAnchor("x.a.b", "a.b"));
  EXPECT_FALSE(IsAnchor("xa.b", "a.b"));
  EXPECT_FALSE(IsAnchor("a.b.c", "a.b"));
}

TEST(Families, AWordChoosesAmongThoseWithTheSameTensors) {
  const TestDir dir;
  const Checkpoint checkpoint = Named(dir, {{"m.global_blocks.0.attn.qkv.weight", {1}}});
  EXPECT_STREQ(FamilyOf(checkpoint, "m.", "").name, "VGGT");
  EXPECT_STREQ(FamilyOf(checkpoint, "m.", "streamvggt").name, "StreamVGGT");
  EXPECT_THAT(FamiliesOf(checkpoint, "m."), ElementsAre("vggt", "streamvggt"));
  EXPECT_THAT(ErrorOf([&] { FamilyOf(checkpoint, "m.", "pi3"); }),
              AllOf(HasSubstr("is no model of the family 'pi3'"),
                    HasSubstr("Its tensors are those of: vggt, streamvggt.")));
}

TEST(Families, OtherModelsAreRefusedWithTheNearest) {
  const std::pair<const char*, const char*> cases[] = {
      {"aggregator.inter_frame_blocks.0.norm1.weight",
       "VGGT-Omega is the nearest: 1 tensor is named …inter_frame_blocks.…, but none "
       "…inter_frame_blocks.0.attn.qkv.weight"},
      {"dec_blocks2.0.norm1.weight", "DUSt3R"},
      {"blocks.0.attn.qkv.weight", "DINOv2"},
      {"lm_head.weight", "It holds 1 tensor, such as lm_head.weight"},
  };
  for (const auto& [name, text] : cases) {
    const TestDir dir;
    const Error error = UnknownModel(Named(dir, {{name, {2}}}));
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("holds no model of a family that is read"), HasSubstr(text)));
  }
}

// A file may hold a model of several pictures beside one of single pictures, as Depth Anything 3's
// nested ones do.
TEST(Families, WithoutAKeyTheModelOfSeveralPicturesIsMeant) {
  const TestDir dir;
  const std::string mono = "model.da3_metric.backbone.pretrained.";
  const std::string several = "model.da3.backbone.pretrained.";
  std::vector<WantedTensor> tensors = {{mono + "cls_token", {1, 1, 64}},
                                       {several + "cls_token", {1, 1, 64}},
                                       {several + "camera_token", {1, 2, 64}}};
  for (const std::string& model : {mono, several}) {
    tensors.push_back({model + "pos_embed", {1, 5, 64}});
    for (const char* block : {"blocks.0.", "blocks.1."}) {
      tensors.push_back({model + block + "attn.qkv.weight", {192, 64}});
      tensors.push_back({model + block + "mlp.fc1.weight", {256, 64}});
    }
  }
  tensors.push_back({several + "blocks.1.attn.q_norm.weight", {64}});
  const Checkpoint checkpoint = Named(dir, tensors);
  EXPECT_EQ(InspectCheckpoint(checkpoint).plan.prefix, "model.da3.");
  EXPECT_EQ(InspectCheckpoint(checkpoint).plan.count(BlockKind::kGlobal), 1);
  const CheckpointReport other = InspectCheckpoint(checkpoint, "model.da3_metric");
  EXPECT_EQ(other.plan.prefix, "model.da3_metric.");
  EXPECT_EQ(other.plan.count(BlockKind::kGlobal), 0);
  EXPECT_EQ(other.plan.count(BlockKind::kEncoder), 2);
}

}  // namespace
}  // namespace vggt
