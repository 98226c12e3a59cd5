// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_choice.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;

QkBlocks BlocksWith(const std::vector<int64_t>& indices) {
  QkBlocks blocks;
  for (const int64_t index : indices) blocks.layers.push_back({index, "", ""});
  return blocks;
}

QkDescription DepthIs(int64_t depth) {
  QkDescription d;
  d.provenance.depth = depth;
  return d;
}

TEST(LayerChoice, NearestIsByIndexAndNotByPlace) {
  const QkBlocks blocks = BlocksWith({2, 10, 14, 23});
  EXPECT_EQ(NearestLayer(blocks, 0), 0U);
  EXPECT_EQ(NearestLayer(blocks, 22), 3U);
  EXPECT_EQ(NearestLayer(blocks, 12), 1U);  // as near as 14
  EXPECT_EQ(NearestLayer(blocks, 100), 3U);
}

TEST(LayerChoice, DepthIsTheModelsUnlessTheStoreHasMore) {
  EXPECT_EQ(DepthOf(DepthIs(24), BlocksWith({3})), 24);
  EXPECT_EQ(DepthOf(DepthIs(0), BlocksWith({0, 5})), 6);
  EXPECT_EQ(DepthOf(DepthIs(3), BlocksWith({0, 5})), 6);
}

TEST(LayerChoice, LayersOfAPublicationScaleWithDepth) {
  std::vector<int64_t> all(24);
  for (int64_t i = 0; i < 24; ++i) all[i] = i;
  const std::vector<int64_t> early = {3, 4, 5, 6, 7}, late = {17, 18, 19, 20, 21};
  EXPECT_THAT(LayersAsDeepAs(DepthIs(24), BlocksWith(all), early, 24), ElementsAre(3, 4, 5, 6, 7));
  // 3/23 … 7/23 of the way from 0 to 5 are 0.65 … 1.5; 17/23 … 21/23 are 3.7 … 4.6.
  const QkBlocks six = BlocksWith({0, 1, 2, 3, 4, 5});
  EXPECT_THAT(LayersAsDeepAs(DepthIs(6), six, early, 24), ElementsAre(1, 2));
  EXPECT_THAT(LayersAsDeepAs(DepthIs(6), six, late, 24), ElementsAre(4, 5));
  EXPECT_THAT(LayersAsDeepAs(DepthIs(1), BlocksWith({0}), late, 24), ElementsAre(0));
  // Of 24 layers only two were stored.
  EXPECT_THAT(LayersAsDeepAs(DepthIs(24), BlocksWith({5, 18}), late, 24), ElementsAre(1));
}

TEST(LayerChoice, EvenLayersHaveBothEnds) {
  std::vector<int64_t> all(24);
  EXPECT_THAT(EvenLayers(BlocksWith(all), 6), ElementsAre(0, 5, 9, 14, 18, 23));
  EXPECT_THAT(EvenLayers(BlocksWith({0, 1, 2}), 6), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenLayers(BlocksWith({0, 1, 2}), 1), ElementsAre(0));
  EXPECT_THAT(EvenLayers(BlocksWith({7}), 6), ElementsAre(0));
}

TEST(LayerChoice, TextHasBothNumberings) {
  const QkBlocks blocks = BlocksWith({0, 5, 22});
  EXPECT_EQ(LayerText(blocks, 2), "global layer 23 (index 22)");
  EXPECT_EQ(LayersText(blocks, std::vector<size_t>{0, 1, 2}),
            "global layers 1, 6 and 23 (indices 0, 5 and 22)");
}

}  // namespace
}  // namespace vggt
