// SPDX-License-Identifier: Apache-2.0
#include "cli/query_recipe.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Three layers of four heads, five pictures of 3 × 4 patches, one special token.
QkDescription Store() {
  QkDescription d;
  d.frames = 5;
  d.H_p = 3;
  d.W_p = 4;
  QkBlocks blocks;
  blocks.heads = 4;
  blocks.special_tokens = {"camera"};
  for (int i = 0; i < 3; ++i) {
    blocks.layers.emplace_back();
    blocks.layers.back().index = 10 + i;
  }
  d.blocks = {blocks};
  return d;
}

AttentionRequest Request(std::vector<size_t> layers, std::vector<int> heads) {
  const QkDescription d = Store();
  AttentionRequest request;
  request.layers = std::move(layers);
  request.heads = std::move(heads);
  request.tokens = {1 + 4 + 2};  // row 1, column 2
  request.frame = 3;
  return WithDefaults(request, d, d.blocks.front());
}

TEST(QueryRecipe, ViewsFollowFromLayersAndHeads) {
  const Recipe one = RecipeOf(Request({1}, {3}), Store(), "scene");
  EXPECT_EQ(one.view, RecipeView::kFrames);
  EXPECT_EQ(one.export_id, "scene");
  EXPECT_EQ(one.layer, 12);
  EXPECT_EQ(one.head, 3);
  EXPECT_THAT(one.frames, IsEmpty());
  EXPECT_EQ(FormatSpots(one.queries), "3~1.2");
  const Recipe heads = RecipeOf(Request({0}, {1, 2, 3, 4}), Store(), "scene");
  EXPECT_EQ(heads.view, RecipeView::kHeads);
  EXPECT_EQ(heads.layer, 11);
  const Recipe layers = RecipeOf(Request({0, 1, 2}, {2}), Store(), "scene");
  EXPECT_EQ(layers.view, RecipeView::kLayers);
  EXPECT_EQ(layers.head, 2);
  AttentionRequest all = Request({0, 1, 2}, {1, 2, 3, 4});
  all.frames = {4};
  const Recipe matrix = RecipeOf(all, Store(), "scene");
  EXPECT_EQ(matrix.view, RecipeView::kMatrix);
  EXPECT_EQ(matrix.frame, 4);
}

TEST(QueryRecipe, WhatIsAskedIsKept) {
  AttentionRequest request = Request({2}, {1, 2, 3, 4});
  request.reduction = HeadReduction::kMax;
  request.definition = Definition::kCosine;
  request.before_rope = request.incoming = true;
  request.frames = {0, 2};
  const Recipe recipe = RecipeOf(request, Store(), "scene");
  EXPECT_EQ(recipe.view, RecipeView::kFrames);
  EXPECT_EQ(recipe.head, kEveryHead);
  EXPECT_EQ(recipe.reduce, HeadReduction::kMax);
  EXPECT_EQ(recipe.definition, Definition::kCosine);
  EXPECT_EQ(recipe.block, BlockKind::kGlobal);
  EXPECT_TRUE(recipe.before_rope);
  EXPECT_TRUE(recipe.incoming);
  EXPECT_THAT(recipe.frames, ElementsAre(0, 2));
}

TEST(QueryRecipe, QueriesAreSpots) {
  const QkDescription d = Store();
  AttentionRequest request = Request({1}, {3});
  request.tokens = {0};
  EXPECT_EQ(FormatSpots(RecipeOf(request, d, "scene").queries), "3~0.0@camera");
  request.frame = 0;
  request.tokens = TokensOf({1, 2, 0, 3}, d.token_grid(d.blocks.front()));
  EXPECT_EQ(FormatSpots(RecipeOf(request, d, "scene").queries), "1.0-2.3");
}

TEST(QueryRecipe, SomeLayersOrHeadsAreNoFigure) {
  const auto refusal = [](const AttentionRequest& request) {
    return ErrorOf([&] { RecipeOf(request, Store(), "scene"); });
  };
  EXPECT_THAT(refusal(Request({0, 1}, {3})),
              HasSubstr("--layer: a figure shows one or all layers, not 2 of 3"));
  EXPECT_THAT(refusal(Request({0}, {3, 4})),
              HasSubstr("--head: a figure shows one or all heads, not 2 of 4"));
  EXPECT_THAT(refusal(Request({0, 1, 2}, {1, 2, 3, 4})),
              HasSubstr("--frames: a figure of all layers and heads is of one picture"));
}

}  // namespace
}  // namespace vggt
