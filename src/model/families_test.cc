// SPDX-License-Identifier: Apache-2.0
#include "model/families.h"

#include <gmock/gmock.h>

#include "formats/safetensors.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(Families, EachPresetHasItsFamilysAnchor) {
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    int families = 0;
    for (const ModelFamily& family : ModelFamilies()) {
      for (const WantedTensor& tensor : PlanTensors(preset.plan)) {
        families += tensor.name == family.anchor ? 1 : 0;
      }
    }
    EXPECT_EQ(families, 1) << preset.name;
  }
}

TEST(Families, OtherModelsAreRecognised) {
  const std::pair<const char*, const char*> cases[] = {
      {"aggregator.inter_frame_blocks.0.norm1.weight", "VGGT-Omega"},
      {"decoder.0.attn.qkv.weight", "Pi3"},
      {"dec_blocks2.0.norm1.weight", "DUSt3R"},
      {"blocks.0.attn.qkv.weight", "DINOv2"},
      {"lm_head.weight", "It holds 1 tensor, such as lm_head.weight"},
  };
  for (const auto& [name, text] : cases) {
    const TestDir dir;
    SafetensorsWriter writer(dir / "w", {{name, DType::kF32, {2}}}, {});
    writer.Append(std::vector<uint8_t>(8));
    writer.Commit();
    const Error error = UnknownModel(Checkpoint::Open(dir / "w"));
    EXPECT_THAT(error.what(), AllOf(HasSubstr("is no VGGT checkpoint"), HasSubstr(text)));
  }
}

}  // namespace
}  // namespace vggt
