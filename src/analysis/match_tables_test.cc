// SPDX-License-Identifier: Apache-2.0
#include "analysis/match_tables.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace vggt {
namespace {

using ::testing::HasSubstr;

// Two heads of layer 5, the second the better one, held against matches of two pairs.
MatchBoard SmallBoard() {
  MatchBoard board;
  board.layers = {4};
  board.heads = 2;
  board.sample = "all 3 matches";
  board.matches.text = "truth";
  board.matches.pairs = {{0, 1, {{0, {1, 1}}, {1, {2, 2}}}}, {1, 0, {{3, {4, 4}}}}};
  board.scores.resize(2);
  for (size_t i = 0; i < 2; ++i) {
    HitScores& scores = board.scores[i];
    scores.value.of(MatchMetric::kHit1) = 0.25 + 0.5 * static_cast<double>(i);
    scores.standard_error.of(MatchMetric::kHit1) = 0.125;
    scores.shuffled.of(MatchMetric::kHit1) = 0.0625;
    scores.pair_hit1 = {0.5, static_cast<double>(i)};
  }
  board.baselines.chance.of(MatchMetric::kHit1) = 0.03125;
  board.baselines.same_cell.of(MatchMetric::kHit1) = 0.375;
  board.baselines.pair_chance1 = {0.01, 0.02};
  board.baselines.pair_same_cell1 = {0.03, 0.04};
  return board;
}

double NumberIn(const ReportTable& table, size_t row, const char* column) {
  const auto found = std::ranges::find(table.columns, column, &TableColumn::name);
  return std::get<double>(table.rows[row][static_cast<size_t>(found - table.columns.begin())]);
}

TEST(MatchTables, HaveARowForEachHead) {
  const MatchBoard board = SmallBoard();
  const ReportTable table = MatchHeadsTable(board, BestHeads(board, 2), "matches");
  EXPECT_EQ(table.name, "matches");
  EXPECT_THAT(table.definition, HasSubstr("Matches: truth."));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(TableCsv(table), HasSubstr("global,5,4,2,1,"));
  EXPECT_EQ(NumberIn(table, 1, "hit1"), 0.75);
  EXPECT_EQ(NumberIn(table, 1, "hit1_se"), 0.125);
  EXPECT_EQ(NumberIn(table, 0, "chance1"), 0.03125);
  EXPECT_EQ(NumberIn(table, 0, "same_cell1"), 0.375);
  EXPECT_EQ(NumberIn(table, 0, "shuffled1"), 0.0625);
  EXPECT_EQ(table.rows[0].back(), TableCell(int64_t{2}));
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
}

TEST(MatchTables, HaveARowForEachPair) {
  const MatchBoard board = SmallBoard();
  const ReportTable table = MatchPairsTable(board, BestHeads(board, 2));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0][2], TableCell(int64_t{2}));
  EXPECT_EQ(NumberIn(table, 1, "best_hit1"), 1);
  EXPECT_THAT(table.columns.back().text, HasSubstr("head 2 of layer 5"));
  EXPECT_EQ(table.arrays[0].shape, (Shape{1, 2, 2}));
}

}  // namespace
}  // namespace vggt
