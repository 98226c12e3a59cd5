// SPDX-License-Identifier: Apache-2.0
#include "capture/head_taps.h"

#include <gmock/gmock.h>

#include <vector>

#include "testing.h"

namespace vggt {
namespace {

// Two frames of one special token and 1 × 2 patches, tokens of 2 channels.
const TokenGrid kGrid{2, 1, 1, 2};

// The value of a channel tells block, token and channel.
std::vector<float> Output(BlockId block) {
  std::vector<float> x;
  for (int token = 0; token < 6; ++token) {
    for (int c = 0; c < 2; ++c) {
      x.push_back(static_cast<float>(
          100 * block.index + (block.kind == BlockKind::kGlobal ? 1000 : 0) + 10 * token + c));
    }
  }
  return x;
}

TEST(HeadTaps, GiveBackEachLayersBlocksSideBySide) {
  const testing::TestDir dir;
  HeadTaps taps({1, 3}, kGrid, 2, dir.path());
  EXPECT_TRUE(dir.empty());
  for (int64_t layer = 0; layer < 4; ++layer) {
    for (const BlockKind kind : {BlockKind::kFrame, BlockKind::kGlobal}) {
      const BlockId block{kind, layer};
      EXPECT_EQ(taps.WantsOutput(block), layer == 1 || layer == 3);
      if (!taps.WantsOutput(block)) continue;
      const std::vector<float> x = Output(block);
      taps.OnOutput(block, {.x = x.data(), .channels = 2, .grid = kGrid});
    }
  }
  EXPECT_FALSE(taps.WantsOutput({BlockKind::kEncoder, 1}));
  std::vector<float> tokens(2 * 4);
  taps.ReadPatches(1, 0, tokens.data());
  EXPECT_THAT(tokens, ::testing::ElementsAre(110, 111, 1110, 1111, 120, 121, 1120, 1121));
  taps.ReadPatches(3, 1, tokens.data());
  EXPECT_THAT(tokens, ::testing::ElementsAre(340, 341, 1340, 1341, 350, 351, 1350, 1351));
  const float* camera = taps.camera_tokens(3);
  EXPECT_THAT(std::vector<float>(camera, camera + 8),
              ::testing::ElementsAre(300, 301, 1300, 1301, 330, 331, 1330, 1331));
  EXPECT_EQ(taps.camera_tokens(1)[2], 1100);
}

}  // namespace
}  // namespace vggt
