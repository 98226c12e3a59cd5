// SPDX-License-Identifier: Apache-2.0
#include "attention/token_query.h"

#include <gmock/gmock.h>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;

TEST(TokenQuery, RectanglesAreRowsOfPatchesBehindTheSpecialTokens) {
  const QkDescription d = SmallQkDescription();  // two special tokens, 3×4 patches
  EXPECT_THAT(TokensOf({1, 2, 0, 1}, d, d.blocks[0]), ElementsAre(6, 7, 10, 11));
  EXPECT_THAT(TokensOf({2, 1, 1, 0}, d, d.blocks[0]), ElementsAre(6, 7, 10, 11));
  EXPECT_THAT(TokensOf({0, 0, 3, 3}, d, d.blocks[2]), ElementsAre(4));
}

TEST(TokenQuery, SpecialTokensByName) {
  const QkDescription d = SmallQkDescription();
  EXPECT_EQ(FindSpecialToken(d.blocks[0], "register_1"), 1);
  EXPECT_EQ(FindSpecialToken(d.blocks[2], "cls"), 0);
  EXPECT_EQ(FindSpecialToken(d.blocks[0], "cls"), -1);
}

TEST(TokenQuery, FramesThatAreAttended) {
  const auto range = [](Attends attends, bool incoming) {
    const FrameRange r = AttendedFrames(attends, 2, 5, incoming);
    return std::vector<int64_t>{r.first, r.last};
  };
  for (const bool incoming : {false, true}) {
    EXPECT_THAT(range(Attends::kAll, incoming), ElementsAre(0, 5));
    EXPECT_THAT(range(Attends::kFrame, incoming), ElementsAre(2, 3));
  }
  EXPECT_THAT(range(Attends::kCausal, false), ElementsAre(0, 3));
  EXPECT_THAT(range(Attends::kCausal, true), ElementsAre(2, 5));
}

TEST(TokenQuery, RefusesWhatIsNotThere) {
  QkDescription d = SmallQkDescription();
  TokenQuery good;
  good.layers = {1, 0};
  good.heads = {3, 1};
  good.tokens = {0, 13};
  good.frames = {2};
  const auto error = [&](auto change) {
    TokenQuery query = good;
    change(query);
    return ErrorOf([&] { CheckTokenQuery(query, d, d.blocks[0]); });
  };
  CheckTokenQuery(good, d, d.blocks[0]);
  EXPECT_THAT(error([](TokenQuery& q) { q.layers = {2}; }), HasSubstr("no layer at place 2"));
  EXPECT_THAT(error([](TokenQuery& q) { q.layers = {}; }), HasSubstr("no layer at place is asked"));
  EXPECT_THAT(error([](TokenQuery& q) { q.heads = {0}; }), HasSubstr("no head 0. They run from 1"));
  EXPECT_THAT(error([](TokenQuery& q) { q.heads = {4}; }), HasSubstr("no head 4"));
  EXPECT_THAT(error([](TokenQuery& q) { q.tokens = {14}; }), HasSubstr("no token 14"));
  EXPECT_THAT(error([](TokenQuery& q) { q.tokens = {1, 1}; }), HasSubstr("token 1 is named twice"));
  EXPECT_THAT(error([](TokenQuery& q) { q.frame = 3; }), HasSubstr("no frame 3"));
  EXPECT_THAT(error([](TokenQuery& q) { q.frames = {-1}; }), HasSubstr("no frame -1"));
  d.blocks[0].rope.type = RopeType::kApplied;
  EXPECT_THAT(error([](TokenQuery& q) { q.before_rope = true; }), HasSubstr("after the rotary"));
}

}  // namespace
}  // namespace vggt
