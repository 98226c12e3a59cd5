// SPDX-License-Identifier: Apache-2.0
#include "analysis/row_sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace vggt {
namespace {

using ::testing::ElementsAre;

constexpr TokenGrid kGrid = {3, 5, 14, 22};

TEST(RowSample, TakesAllPatchesAndNoSpecialToken) {
  const TokenGrid grid = {2, 3, 1, 2};
  EXPECT_THAT(PatchRows(AllRows(grid), grid), ElementsAre(3, 4, 8, 9));
  EXPECT_EQ(SampledRows(grid, 2), AllRows(grid));
  EXPECT_EQ(SampledRows(grid, 100), AllRows(grid));
}

TEST(RowSample, TakesAsManyAsAskedEachOnceAscending) {
  for (int64_t count = 1; count < kGrid.patches(); ++count) {
    const RowSample sample = SampledRows(kGrid, count);
    ASSERT_EQ(std::ssize(sample.patches), count);
    ASSERT_TRUE(std::is_sorted(sample.patches.begin(), sample.patches.end(), std::less_equal<>()));
    ASSERT_GE(sample.patches.front(), 0);
    ASSERT_LT(sample.patches.back(), kGrid.patches());
    ASSERT_FALSE(sample.all);
  }
}

// In each of 5 × 5 equal parts of the picture there are about 4 of 100.
TEST(RowSample, SpreadsOverThePlane) {
  for (const TokenGrid& grid : {TokenGrid{1, 0, 25, 35}, {1, 0, 40, 20}, {1, 5, 30, 30}}) {
    std::vector<int> counts(25);
    for (const int64_t patch : SampledRows(grid, 100).patches) {
      const int64_t row = patch / grid.width, column = patch % grid.width;
      ++counts[static_cast<size_t>(row * 5 / grid.height * 5 + column * 5 / grid.width)];
    }
    EXPECT_GE(std::ranges::min(counts), 2);
    EXPECT_LE(std::ranges::max(counts), 5);
  }
}

TEST(RowSample, OfFewerIsAPartOfThatOfMore) {
  const RowSample few = SampledRows(kGrid, 30), more = SampledRows(kGrid, 31);
  EXPECT_TRUE(std::ranges::includes(more.patches, few.patches));
}

TEST(RowSample, SpreadsOverRowsAndColumns) {
  for (const int64_t width : {8, 16, 22, 37}) {
    const TokenGrid grid = {1, 0, 24, width};
    std::set<int64_t> columns, rows;
    for (const int64_t patch : SampledRows(grid, 64).patches) {
      columns.insert(patch % width);
      rows.insert(patch / width);
    }
    EXPECT_GE(columns.size(), static_cast<size_t>(width) * 9 / 10) << width;
    EXPECT_GE(rows.size(), 21U) << width;
  }
}

TEST(RowSample, SaysWhichTheyAre) {
  EXPECT_EQ(SampleText(AllRows({6, 5, 14, 22}), {6, 5, 14, 22}), "all 1,848 patches of 6 pictures");
  EXPECT_EQ(SampleText(SampledRows(kGrid, 64), kGrid),
            "64 of 308 patches of each of 3 pictures, evenly spaced");
  EXPECT_EQ(SampleText(SampledRows({1, 5, 14, 22}, 64), {1, 5, 14, 22}),
            "64 of 308 patches of one picture, evenly spaced");
}

}  // namespace
}  // namespace vggt
