// SPDX-License-Identifier: Apache-2.0
#include "analysis/views_table.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qk_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

double Number(const TableCell& cell) { return std::get<double>(cell); }

TEST(ViewsTable, HasARowForEachPictureAndSaysWhatIsMissing) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.sources = {{"a.jpg", {}}, {"b.jpg", {}}, {"c.jpg", {}}};
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const ViewReport report = ComputeViewReport(store);
  EXPECT_EQ(report.outlier_layer, 1U);
  EXPECT_EQ(report.match_layer, 1U);
  EXPECT_TRUE(report.all_pairs);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_THAT(report.notes[0], HasSubstr("knows nothing of hidden states"));
  const ReportTable table = ViewsTable(store, report);
  ASSERT_EQ(table.rows.size(), 3U);
  for (size_t f = 0; f < 3; ++f) {
    ASSERT_EQ(table.rows[f].size(), table.columns.size());
    EXPECT_EQ(std::get<std::string>(table.rows[f][1]), d.sources[f].file);
    EXPECT_EQ(Number(table.rows[f][2]), report.outlier->attention[f]);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(table.rows[f][4]));
    EXPECT_EQ(Number(table.rows[f][8]), report.salience[f]);
  }
  const PairScores& match = report.match;
  EXPECT_NEAR(Number(table.rows[1][5]),
              (match.at(1, 0) + match.at(0, 1) + match.at(1, 2) + match.at(2, 1)) / 4, 1e-12);
  EXPECT_NEAR(Number(table.rows[1][7]),
              (report.relevance->at(0, 1) + report.relevance->at(2, 1)) / 2, 1e-12);
  EXPECT_THAT(table.definition, HasSubstr("global layer 5 (index 4) (published: index 22)"));
  EXPECT_FALSE(DropTable(store, report).has_value());
  ASSERT_EQ(table.arrays.size(), 3U);
  EXPECT_TRUE(std::isnan(table.arrays[0].values[0]));
}

TEST(ViewsTable, PicturesToDropAreThoseBelowTheThreshold) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription(4);
  const QkStore store(WriteQkStore(dir.path(), d), {});
  ViewReport report = ComputeViewReport(store);
  report.outlier->combined = {0.1, 0.39, 0.9, 0.2};
  const std::optional<ReportTable> table = DropTable(store, report);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->name, "drop_robustvggt_combined_below_0_4");
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_THAT(table->rows[0], ElementsAre(TableCell(int64_t{1}), TableCell(std::string()),
                                          TableCell(0.39), TableCell(int64_t{0})));
  EXPECT_THAT(table->rows[1][3], TableCell(int64_t{1}));
}

TEST(ViewsTable, ManyPicturesHaveSomeNeighboursOnly) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription(7);
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const double of_one = MatchScoreProducts(d, d.blocks[0], 1);
  EXPECT_EQ(of_one, 2.0 * 14 * 12 * 48);
  const ViewReport report = ComputeViewReport(store, of_one * 3.5);
  EXPECT_FALSE(report.all_pairs);
  std::vector<int64_t> with;
  for (int64_t a = 0; a < 7; ++a) {
    for (int64_t b = 0; b < 7; ++b) {
      if (std::isnan(report.match.at(a, b))) continue;
      EXPECT_EQ(b, a + 1);
      with.push_back(a);
    }
  }
  EXPECT_THAT(with, ElementsAre(0, 2, 4));
  EXPECT_THAT(report.match_notes.back(), HasSubstr("3 pairs of neighbouring pictures out of 42"));
  EXPECT_FALSE(ComputeViewReport(store, 0).all_pairs);
}

TEST(ViewsTable, RotatedStoresHaveWhatNeedsNoQueriesFromBefore) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks[0].rope = {RopeType::kApplied, 100, 1};
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const ViewReport report = ComputeViewReport(store);
  EXPECT_FALSE(report.outlier.has_value());
  EXPECT_FALSE(report.relevance.has_value());
  EXPECT_THAT(report.notes.back(), HasSubstr("rotated before they were stored"));
  const ReportTable table = ViewsTable(store, report);
  EXPECT_EQ(table.rows[0].size(), table.columns.size());
  EXPECT_FALSE(std::isnan(report.match.at(0, 1)));
}

// Nothing is said of a picture's queries and the keys of a later one, which never meet.
TEST(ViewsTable, CausalBlocksHaveScoresOfPairsThatMeet) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks[0].attends = Attends::kCausal;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const ViewReport report = ComputeViewReport(store);
  EXPECT_FALSE(report.outlier.has_value());
  EXPECT_THAT(report.notes[0], HasSubstr("Queries do not see all pictures"));
  EXPECT_THAT(report.match_notes, ::testing::SizeIs(1));
  for (int64_t a = 0; a < 3; ++a) {
    for (int64_t b = 0; b < 3; ++b) {
      EXPECT_EQ(std::isnan(report.relevance->at(a, b)), b > a) << a << b;
      EXPECT_EQ(std::isnan(report.mean_logits.at(a, b)), b > a) << a << b;
      EXPECT_EQ(std::isnan(report.match.at(a, b)), b <= a) << a << b;
    }
    EXPECT_TRUE(std::isnan(report.salience[static_cast<size_t>(a)]));
  }
  // What is there is what it is without a mask.
  d.blocks[0].attends = Attends::kAll;
  const ViewReport all = ComputeViewReport(QkStore(WriteQkStore(dir.path(), d), {}));
  EXPECT_EQ(report.match.at(0, 2), all.match.at(0, 2));
  EXPECT_EQ(report.relevance->at(2, 1), all.relevance->at(2, 1));
  const ReportTable table = ViewsTable(store, report);
  EXPECT_NEAR(std::get<double>(table.rows[1][7]), report.relevance->at(2, 1), 1e-12);
}

TEST(ViewsTable, OnePictureAloneIsRefused) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), SmallQkDescription(1)), {});
  EXPECT_THAT(ErrorOf([&] { return ComputeViewReport(store); }),
              HasSubstr("needs at least two pictures"));
}

}  // namespace
}  // namespace vggt
