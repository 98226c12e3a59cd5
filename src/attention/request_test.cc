// SPDX-License-Identifier: Apache-2.0
#include "attention/request.h"

#include <gmock/gmock.h>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;

TEST(AttentionRequest, RectanglesAreRowsOfPatchesBehindTheSpecialTokens) {
  const QkDescription d = SmallQkDescription();  // two special tokens, 3×4 patches
  EXPECT_THAT(TokensOf({1, 2, 0, 1}, d.token_grid(d.blocks[0])), ElementsAre(6, 7, 10, 11));
  EXPECT_THAT(TokensOf({2, 1, 1, 0}, d.token_grid(d.blocks[0])), ElementsAre(6, 7, 10, 11));
  EXPECT_THAT(TokensOf({0, 0, 3, 3}, d.token_grid(d.blocks[2])), ElementsAre(4));
}

TEST(AttentionRequest, SpecialTokensByName) {
  const QkDescription d = SmallQkDescription();
  EXPECT_EQ(FindSpecialToken(d.blocks[0], "register_1"), 1);
  EXPECT_EQ(FindSpecialToken(d.blocks[2], "cls"), 0);
  EXPECT_EQ(FindSpecialToken(d.blocks[0], "cls"), -1);
}

TEST(AttentionRequest, RefusesWhatIsNotThere) {
  QkDescription d = SmallQkDescription();
  AttentionRequest good;
  good.layers = {1, 0};
  good.heads = {3, 1};
  good.tokens = {0, 13};
  good.frames = {2};
  const auto error = [&](auto change) {
    AttentionRequest query = good;
    change(query);
    return ErrorOf([&] { CheckRequest(query, d, d.blocks[0]); });
  };
  CheckRequest(good, d, d.blocks[0]);
  EXPECT_THAT(error([](AttentionRequest& q) { q.layers = {2}; }), HasSubstr("no layer at place 2"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.layers = {}; }),
              HasSubstr("no layer at place is asked"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.heads = {0}; }),
              HasSubstr("no head 0. They run from 1"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.heads = {4}; }), HasSubstr("no head 4"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.tokens = {14}; }), HasSubstr("no token 14"));
  EXPECT_THAT(error([](AttentionRequest& q) {
                q.tokens = {1, 1};
              }),
              HasSubstr("token 1 is named twice"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.frame = 3; }), HasSubstr("no frame 3"));
  EXPECT_THAT(error([](AttentionRequest& q) { q.frames = {-1}; }), HasSubstr("no frame -1"));
  d.blocks[0].rope.type = RopeType::kApplied;
  EXPECT_THAT(error([](AttentionRequest& q) { q.before_rope = true; }),
              HasSubstr("after the rotary"));
}

TEST(AttentionRequest, WhatIsLeftOutIsTheLastLayerAndAllOfTheRest) {
  const QkDescription d = SmallQkDescription();
  AttentionRequest request;
  request.tokens = {3};
  const AttentionRequest completed = WithDefaults(request, d, d.blocks[0]);
  EXPECT_THAT(completed.layers, ElementsAre(1));
  EXPECT_THAT(completed.heads, ElementsAre(1, 2, 3));
  EXPECT_THAT(completed.frames, ElementsAre(0, 1, 2));
  EXPECT_THAT(completed.tokens, ElementsAre(3));
  request.layers = {0};
  request.heads = {2};
  request.frames = {1};
  const AttentionRequest given = WithDefaults(request, d, d.blocks[0]);
  EXPECT_THAT(given.layers, ElementsAre(0));
  EXPECT_THAT(given.heads, ElementsAre(2));
  EXPECT_THAT(given.frames, ElementsAre(1));
}

TEST(AttentionRequest, BlocksAreFoundByTheirKind) {
  QkDescription d = SmallQkDescription();
  EXPECT_EQ(&BlocksOf(d, BlockKind::kEncoder), &d.blocks[2]);
  d.blocks.resize(2);
  EXPECT_EQ(ErrorOf([&] { return BlocksOf(d, BlockKind::kEncoder).heads; }),
            "the store has no encoder blocks. It has global, frame blocks.");
}

}  // namespace
}  // namespace vggt
