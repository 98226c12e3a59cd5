// SPDX-License-Identifier: Apache-2.0
#include "analysis/anchor_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace vggt {
namespace {

TokenGrid Grid(int64_t frames, int64_t height, int64_t width, int64_t specials) {
  TokenGrid grid;
  grid.frames = frames;
  grid.height = height;
  grid.width = width;
  grid.special_tokens = specials;
  return grid;
}

TEST(AnchorChoice, CountsAreRoundedUp) {
  EXPECT_EQ(CountOfShare(0.1, 30), 3);
  EXPECT_EQ(CountOfShare(0.1, 31), 4);
  EXPECT_EQ(CountOfShare(1e-6, 31), 1);
  EXPECT_EQ(CountOfShare(1, 31), 31);
}

// By counting how many patches are better: larger, or equal and before.
TEST(AnchorChoice, LargestAreThoseThatFewAreBetterThan) {
  const TokenGrid grid = Grid(3, 5, 7, 2);
  std::mt19937 engine(1);
  for (const int values : {1, 4, 1000}) {
    std::uniform_int_distribution<int> value(0, values - 1);
    std::vector<double> scores(static_cast<size_t>(grid.tokens()));
    for (double& score : scores) score = value(engine);
    for (const bool together : {false, true}) {
      const int64_t all = grid.patches() * (together ? grid.frames : 1);
      for (const int64_t count : {int64_t{1}, all / 3, all - 1, all}) {
        const KeptTokens keep = LargestAnchors(grid, scores, count, together);
        for (int64_t j = 0; j < grid.tokens(); ++j) {
          int64_t better = 0;
          for (int64_t o = 0; o < grid.tokens(); ++o) {
            const bool same = o / grid.tokens_per_frame() == j / grid.tokens_per_frame();
            if (grid.is_special(o) || !(together || same)) continue;
            better += scores[o] > scores[j] || (scores[o] == scores[j] && o < j);
          }
          ASSERT_EQ(keep[j] != 0, grid.is_special(j) || better < count) << j << " " << count;
        }
      }
    }
  }
}

TEST(AnchorChoice, EvenAnchorsAreAsManyOfEachPicture) {
  for (const TokenGrid& grid : {Grid(2, 25, 37, 5), Grid(1, 3, 11, 0), Grid(3, 13, 1, 1)}) {
    for (int64_t count = 1; count <= grid.patches(); ++count) {
      const KeptTokens keep = EvenAnchors(grid, count);
      for (int64_t f = 0; f < grid.frames; ++f) {
        const auto first = keep.begin() + grid.first_token(f);
        EXPECT_EQ(std::accumulate(first, first + grid.tokens_per_frame(), int64_t{0}),
                  count + grid.special_tokens);
      }
    }
  }
}

}  // namespace
}  // namespace vggt
