// SPDX-License-Identifier: Apache-2.0
#include "report/scenes_section.h"

#include <gmock/gmock.h>

#include "statistics_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::MadeStatistics;

TEST(ScenesSection, MeansAndSpreadsAreThoseOverScenes) {
  LayerStatistics a = MadeStatistics(BlockKind::kGlobal, 4), b = a, c = a;
  const auto entropy = static_cast<size_t>(HeadMetric::kEntropy) * 3 + 1;  // of head 2
  a.mean[entropy] = 1, b.mean[entropy] = 2, c.mean[entropy] = 6;
  const Section section = ScenesSection({{"a", {&a}}, {"b", {&b}}, {"c", {&c}}});
  const ReportTable& table = section.tables.at(0);
  ASSERT_EQ(table.rows.size(), 3U);
  const std::vector<TableCell>& row = table.rows[1];
  EXPECT_EQ(std::get<int64_t>(row[1]), 5);
  EXPECT_EQ(std::get<int64_t>(row[2]), 4);
  EXPECT_EQ(std::get<int64_t>(row[3]), 2);
  EXPECT_EQ(std::get<int64_t>(row[5]), 3);
  EXPECT_EQ(table.columns[6].name, "entropy");
  EXPECT_DOUBLE_EQ(std::get<double>(row[6]), 3);
  EXPECT_EQ(table.columns[6 + kHeadMetrics].name, "entropy_sd");
  // ((1 − 3)² + (2 − 3)² + (6 − 3)²) / 2 = 7
  EXPECT_DOUBLE_EQ(std::get<double>(row[6 + kHeadMetrics]), std::sqrt(7));
  EXPECT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(std::get<LinePanel>(section.charts.at(0).panels[0]).series.size(), 3U);
}

TEST(ScenesSection, ScenesOfOtherModelsDoNotFit) {
  const LayerStatistics a = MadeStatistics(BlockKind::kGlobal, 0);
  const LayerStatistics heads = MadeStatistics(BlockKind::kGlobal, 0, 4);
  const LayerStatistics layer = MadeStatistics(BlockKind::kGlobal, 1);
  const LayerStatistics frame = MadeStatistics(BlockKind::kFrame, 0);
  for (const LayerStatistics* other : {&heads, &layer, &frame}) {
    EXPECT_THAT(ErrorOf([&] {
                  ScenesSection({{"a", {&a}}, {"b", {other}}});
                }),
                HasSubstr("do not fit one table"));
  }
  EXPECT_THAT(ErrorOf([&] {
                ScenesSection({{"a", {&a}}, {"b", {&a, &layer}}});
              }),
              HasSubstr("'a' has 1 global layer of 3 heads, but 'b' has 2 global layers"));
}

}  // namespace
}  // namespace vggt
