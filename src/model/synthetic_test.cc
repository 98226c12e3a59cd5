// SPDX-License-Identifier: Apache-2.0
#include "model/synthetic.h"

#include <gmock/gmock.h>

#include "model/checkpoint_report.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

// Values printed by the specification's synthetic_tensor(name, shape, seed)[:3].
TEST(Synthetic, EqualsTheSpecificationBitForBit) {
  const struct {
    const char* name;
    Shape shape;
    uint64_t seed;
    float values[3];
  } cases[] = {
      {"aggregator.camera_token", {1, 2, 1, 64}, 0, {-0.00321799517F, 0.076785624F, 0.172113359F}},
      {"aggregator.frame_blocks.0.attn.qkv.weight",
       {192, 64},
       1,
       {-0.0574470162F, 0.0778784081F, -0.0953064784F}},
      {"aggregator.global_blocks.1.attn.k_norm.weight",
       {16},
       2,
       {1.36623108F, 1.10437918F, 1.97677886F}},
      {"aggregator.global_blocks.1.norm2.weight",
       {64},
       1,
       {1.22494841F, 1.21803379F, 0.811262548F}},
      {"aggregator.patch_embed.proj.weight",
       {64, 3, 14, 14},
       3,
       {-0.0534054227F, -0.0449207611F, -0.0421442389F}},
      {"aggregator.frame_blocks.2.ls2.gamma", {64}, 1, {0.247040302F, 0.182491153F, 0.25810796F}},
      {"aggregator.frame_blocks.2.mlp.fc1.bias",
       {64},
       18446744073709551615U,
       {-0.0584104173F, 0.0709601194F, 0.0471864939F}},
      {"camera_head.pose_branch.fc2.weight",
       {9, 16},
       1,
       {0.0416783504F, -0.019731503F, -0.0191197284F}},
      {"camera_head.pose_branch.fc2.bias", {9}, 1, {0.197662637F, 0.219578922F, 0.264756799F}},
  };
  for (const auto& c : cases) {
    const FloatBuffer tensor = SyntheticTensor(c.name, c.shape, c.seed);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(tensor[i], c.values[i]) << c.name << " " << i;
  }
}

TEST(Synthetic, HeadsHaveVggt1bsProportions) {
  const HeadsPlan heads = SyntheticHeads(SyntheticPresets()[0].plan);
  const auto shapes = [](const std::vector<WantedTensor>& tensors) {
    std::vector<std::string> texts;
    for (const WantedTensor& t : tensors) texts.push_back(t.name + ShapeText(t.shape));
    return texts;
  };
  EXPECT_EQ(shapes(HeadTensors(*heads.camera)),
            shapes(HeadTensors(VggtCameraHead({}, "camera_head"))));
  EXPECT_EQ(shapes(HeadTensors(*heads.depth)), shapes(HeadTensors(VggtDptHead({}, "depth_head"))));

  const TestDir dir;
  const ModelPlan& tiny = SyntheticPresets()[3].plan;
  WriteSyntheticCheckpoint(dir / "w", tiny, DType::kF16, 1, {}, {}, SyntheticHeads(tiny));
  const CheckpointReport report = InspectCheckpoint(Checkpoint::Open(dir / "w"));
  ASSERT_EQ(report.heads.size(), 3U);
  for (const HeadReport& head : report.heads) EXPECT_EQ(head.found, head.wanted) << head.name;
}

TEST(Synthetic, CheckpointIsWholeInEveryNumberType) {
  const TestDir dir;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const auto& preset : SyntheticPresets()) {
      if (preset.plan.dim() > 128) continue;  // gigabytes
      const auto path = dir / "w.safetensors";
      WriteSyntheticCheckpoint(path, preset.plan, dtype, 1);
      const Checkpoint checkpoint = Checkpoint::Open(path);
      const CheckpointReport report = InspectCheckpoint(checkpoint);
      EXPECT_THAT(report.problems, ::testing::IsEmpty());
      EXPECT_THAT(report.dtypes, ::testing::ElementsAre(DTypeName(dtype)));
      EXPECT_EQ(report.ignored, 0U);
      EXPECT_EQ(report.plan.text, preset.plan.text);
    }
  }
}

TEST(Synthetic, CanBeStoppedAndLeavesNothing) {
  const TestDir dir;
  std::vector<double> shares;
  const auto write = [&](size_t stop_after) {
    WriteSyntheticCheckpoint(dir / "w", SyntheticPresets()[3].plan, DType::kF16, 0,
                             [&](double share) {
                               shares.push_back(share);
                               if (shares.size() == stop_after) throw Interrupted();
                             });
  };
  EXPECT_THROW(write(3), Interrupted);
  EXPECT_TRUE(dir.empty());
  shares.clear();
  write(SIZE_MAX);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.back(), 1);
}

}  // namespace
}  // namespace vggt
