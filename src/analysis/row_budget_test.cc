// SPDX-License-Identifier: Apache-2.0
#include "analysis/row_budget.h"

#include <gtest/gtest.h>

#include <cmath>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::SmallQkDescription;

TEST(RowBudget, TakesAsManyRowsAsFit) {
  const QkDescription d = SmallQkDescription(4, 10, 10);
  const TokenGrid grid = d.token_grid(d.blocks[0]);
  const double all = StatisticsProducts(d, 100);
  // Global: 2 layers, 3 heads, width 16, twice; frame: 1 layer; encoder: 2 heads, width 32, once.
  EXPECT_EQ(all,
            2 * 3 * 16 * 2 * 408.0 * 408 + 3 * 16 * 2 * 4 * 102.0 * 102 + 2 * 32 * 4 * 101.0 * 101);
  EXPECT_EQ(StatisticsProducts(d, 1000), all);
  EXPECT_EQ(RowsWithin(d, all), AllRows(grid));
  EXPECT_EQ(RowsWithin(d, INFINITY), AllRows(grid));
  const RowSample some = RowsWithin(d, all / 2);
  const auto rows = std::ssize(some.patches);
  EXPECT_LE(StatisticsProducts(d, rows), all / 2);
  EXPECT_GT(StatisticsProducts(d, rows + 1), all / 2);
  EXPECT_EQ(std::ssize(RowsWithin(d, 0).patches), kLeastRows);
  QkDescription causal = d;
  causal.blocks.resize(1);
  causal.blocks[0].attends = Attends::kCausal;
  EXPECT_EQ(StatisticsProducts(causal, 100), 2 * 3 * 16 * 2 * 102.0 * 102 * (1 + 2 + 3 + 4));
}

}  // namespace
}  // namespace vggt
