// SPDX-License-Identifier: Apache-2.0
#include "capture/qk_capture.h"

#include <gmock/gmock.h>

#include "model/synthetic.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const ModelPlan& Dino() { return SyntheticPresets()[2].plan; }
const ModelPlan& Convolution() { return SyntheticPresets()[3].plan; }

TEST(QkCapture, LayersChooseGlobalAndFrameBlocks) {
  const WantedBlocks some =
      ChooseBlocks({BlockKind::kFrame, BlockKind::kEncoder}, Dino(), {false, true});
  EXPECT_THAT(some.global, IsEmpty());
  EXPECT_THAT(some.frame, ElementsAre(false, true));
  EXPECT_THAT(some.encoder, ElementsAre(true, true));
  EXPECT_THAT(ChooseBlocks({BlockKind::kGlobal}, Dino(), {true, false}).global,
              ElementsAre(true, false));
}

TEST(QkCapture, AConvolutionHasNoBlocks) {
  EXPECT_THAT(ErrorOf([] { ChooseBlocks({BlockKind::kEncoder}, Convolution(), {true}); }),
              HasSubstr("`capture` encoder: this model's encoder is a bare convolution"));
}

TEST(QkCapture, DescribesBlocks) {
  const auto blocks =
      DescribeBlocks({BlockKind::kGlobal, BlockKind::kFrame, BlockKind::kEncoder}, Dino());
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks[0].heads, 2);
  EXPECT_EQ(blocks[0].scale, 0.125);
  EXPECT_EQ(blocks[0].channels, 128);
  EXPECT_THAT(blocks[0].special_tokens,
              ElementsAre("camera", "register_1", "register_2", "register_3", "register_4"));
  EXPECT_EQ(blocks[0].attends, Attends::kAll);
  EXPECT_EQ(blocks[0].rope.type, RopeType::k2d);
  EXPECT_EQ(blocks[1].attends, Attends::kFrame);
  EXPECT_EQ(blocks[1].rope.type, RopeType::k2d);
  EXPECT_EQ(blocks[2].special_tokens.front(), "cls");
  EXPECT_EQ(blocks[2].rope.type, RopeType::kNone);
  EXPECT_EQ(DescribeBlocks({BlockKind::kGlobal}, Convolution())[0].scale, 0.25);  // heads of 16
}

TEST(QkCapture, FiftyFramesOfVggt) {
  QkDescription description;
  description.frames = 50;
  description.H_p = description.W_p = 37;
  description.blocks = DescribeBlocks({BlockKind::kGlobal}, SyntheticPresets()[0].plan);
  const double qk = 2.0 * 16 * 64 * 2, norms = (1 + 2 * 16) * 4;
  EXPECT_EQ(LargestBlockBytes(description), 50 * (1374 * (qk + norms) + 1024 * 4));
}

}  // namespace
}  // namespace vggt
