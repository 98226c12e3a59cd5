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
  // Three scenes and uniform attention.
  EXPECT_EQ(std::get<LinePanel>(section.charts.at(0).panels[0]).series.size(), 4U);
}

TEST(ScenesSection, ScenesOfOtherUniformAttentionAreComparedByIt) {
  LayerStatistics a = MadeStatistics(BlockKind::kGlobal, 4), b = a;
  const auto cross = static_cast<size_t>(HeadMetric::kCrossMass);
  // One head is twice uniform in both scenes, another is not: that is what differs.
  a.uniform[cross] = 0.4, b.uniform[cross] = 0.2;
  for (size_t head = 0; head < 3; ++head) {
    a.mean[cross * 3 + head] = 0.8;
    b.mean[cross * 3 + head] = head == 2 ? 0.6 : 0.4;
  }
  const Section section = ScenesSection({{"a", {&a}}, {"b", {&b}}});
  // Over 2 and 3: the mean is 2.5, the deviation √½.
  EXPECT_EQ(section.findings.at(0),
            "The mass on other pictures of head 3 of global layer 5 differs most between scenes: "
            "2.5 ± 0.71 times that of uniform attention in the same scene (± standard deviation "
            "over 2 scenes).");
  const ReportTable& table = section.tables.at(0);
  const auto column =
      std::ranges::find(table.columns, "cross_mass_over_uniform", &TableColumn::name) -
      table.columns.begin();
  EXPECT_NEAR(std::get<double>(table.rows[0][column]), 2, 1e-12);
  EXPECT_NEAR(std::get<double>(table.rows[0][column + 1]), 0, 1e-12);
  EXPECT_NEAR(std::get<double>(table.rows[2][column]), 2.5, 1e-12);
  EXPECT_NEAR(std::get<double>(table.rows[2][column + 1]), std::sqrt(0.5), 1e-12);
  for (const ChartPanel& each : section.charts.at(0).panels) {
    const auto& panel = std::get<LinePanel>(each);
    ASSERT_EQ(panel.series.size(), 3U);
    const ChartSeries& uniform = panel.series.back();
    EXPECT_EQ(uniform.label, "uniform attention");
    const bool ratio = panel.y_label == "× uniform";
    EXPECT_EQ(ratio, panel.title == InfoOf(HeadMetric::kCrossMass).label ||
                         panel.title == "Mass on other pictures");
    if (ratio) {
      EXPECT_EQ(uniform.y, std::vector<double>{1});
      EXPECT_NEAR(panel.series[0].y[0], 2, 1e-12);
    }
  }
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
