// SPDX-License-Identifier: Apache-2.0
#include "report/views_section.h"

#include <gmock/gmock.h>

#include <cmath>

#include "analysis/view_scores.h"
#include "section_testing.h"

namespace vggt {
namespace {

using testing::ChartOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SmallExport;
using testing::SmallQkDescription;
using testing::TableOf;

TEST(ViewsSection, HasMatricesCurvesAndScores) {
  SmallExport small(SmallQkDescription(3, 3, 5));
  SectionInput input = small.Input();
  double done = 0;
  input.progress = [&](double now) {
    EXPECT_GE(now, done);
    done = now;
  };
  const Section section = ViewsSection(input);
  testing::CheckSection(section);
  EXPECT_EQ(section.name, "views");
  EXPECT_EQ(done, 1);
  EXPECT_EQ(section.tables.size(), 2U);  // without hidden states nothing is dropped
  EXPECT_THAT(section.notes, ::testing::ElementsAre(HasSubstr("nothing of hidden states")));

  const ReportTable& layers = TableOf(section, "view_layers");
  ASSERT_EQ(layers.rows.size(), 2U);
  EXPECT_EQ(std::get<int64_t>(layers.rows[1][0]), 5);
  EXPECT_EQ(std::get<int64_t>(layers.rows[1][1]), 4);
  const LayerStatistics& last = input.statistics(BlockKind::kGlobal, 1);
  double cross = 0;
  for (int64_t h = 0; h < 3; ++h) cross += last.Mean(HeadMetric::kCrossMass, h) / 3;
  EXPECT_NEAR(std::get<double>(layers.rows[1][4]), cross, 1e-12);
  EXPECT_NEAR(std::get<double>(layers.rows[1][2]), Asymmetry(MeanFrameMass(last.frame_mass, 3, 3)),
              1e-12);
  // Rows of the matrices add up to 1 with their last column.
  const std::vector<float>& mass = layers.arrays[0].values;
  for (size_t row = 0; row < mass.size(); row += 4) {
    EXPECT_NEAR(mass[row] + mass[row + 1] + mass[row + 2] + mass[row + 3], 1, 1e-6);
  }
  const Chart& views = ChartOf(section, "views");
  ASSERT_EQ(views.panels.size(), 2U);
  const auto& panel = std::get<HeatPanel>(views.panels[1]);
  EXPECT_EQ(panel.title, "global layer 5 (index 4)");
  EXPECT_EQ(panel.values, std::vector<float>(mass.begin() + 12, mass.end()));
  EXPECT_EQ(panel.col_names.back(), "special");
  EXPECT_THAT(views.caption, HasSubstr("all 45 patches of 3 pictures"));
  EXPECT_THAT(section.findings[0],
              HasSubstr("lies on other pictures; uniform attention would put"));
  for (const std::string& finding : section.findings) {
    EXPECT_THAT(finding, Not(HasSubstr("index")));
  }
}

TEST(ViewsSection, PicturesThatAreNotSeenHaveNoValue) {
  QkDescription d = SmallQkDescription(4);
  d.blocks[0].attends = Attends::kCausal;
  SmallExport small(d);
  for (const char* preset : {"", "robustvggt", "spark"}) {
    const Section section = ViewsSection(small.Input(preset));
    testing::CheckSection(section);
    const auto& matrix = std::get<HeatPanel>(ChartOf(section, "views").panels[1]);
    for (int64_t i = 0; i < 20; ++i) {
      const int64_t row = i / 5, col = i % 5;
      EXPECT_EQ(std::isnan(matrix.values[static_cast<size_t>(i)]), col < 4 && col > row) << i;
    }
    EXPECT_THAT(ChartOf(section, "views").caption, HasSubstr("that a query cannot see have no"));
    EXPECT_EQ(ChartOf(section, "view_layers").panels.size(), 1U);
    for (const std::string& finding : section.findings) {
      EXPECT_THAT(finding, Not(HasSubstr("one-sided")));
    }
  }
  // Frames that see themselves alone have no pairs at all.
  d.blocks[0].attends = Attends::kFrame;
  testing::CheckSection(ViewsSection(SmallExport(d).Input()));
}

TEST(ViewsSection, PresetsShowTheirOwnScores) {
  SmallExport small(SmallQkDescription());
  const Section robust = ViewsSection(small.Input("robustvggt"));
  const Section spark = ViewsSection(small.Input("spark"));
  for (const Section* section : {&robust, &spark}) testing::CheckSection(*section);
  EXPECT_THAT(robust.notes, ::testing::ElementsAre(HasSubstr("nothing of hidden states")));
  EXPECT_THAT(spark.notes, ::testing::IsEmpty());  // which need no hidden states
  const Chart& outliers = ChartOf(robust, "view_scores");
  EXPECT_THAT(outliers.title, HasSubstr("RobustVGGT"));
  EXPECT_EQ(outliers.panels.size(), 1U);
  EXPECT_THAT(outliers.caption, HasSubstr("CVPR 2026"));
  EXPECT_THAT(outliers.caption, Not(HasSubstr("Match score")));
  const Chart& matches = ChartOf(spark, "view_scores");
  EXPECT_EQ(matches.panels.size(), 1U);
  EXPECT_THAT(matches.caption, HasSubstr("a pass over the two pictures alone"));
  EXPECT_EQ(std::get<HeatPanel>(matches.panels[0]).title, "match score");
  const auto names = [](const ReportTable& table) {
    std::vector<std::string> all;
    for (const TableColumn& column : table.columns) all.push_back(column.name);
    for (const ReportArray& array : table.arrays) all.push_back(array.name);
    return all;
  };
  EXPECT_THAT(names(TableOf(robust, "views")),
              ::testing::ElementsAre("picture", "file", "robustvggt_attention",
                                     "robustvggt_feature", "robustvggt_combined"));
  EXPECT_THAT(names(TableOf(spark, "views")),
              ::testing::ElementsAre("picture", "file", "match_score_mean", "match_score"));
  EXPECT_THAT(TableOf(robust, "views").definition, Not(HasSubstr("Match score")));
  EXPECT_THAT(TableOf(spark, "views").definition, Not(HasSubstr("RobustVGGT")));
  EXPECT_THAT(spark.findings, Not(::testing::Contains(HasSubstr("RobustVGGT"))));
  EXPECT_THAT(robust.findings, Not(::testing::Contains(HasSubstr("Match scores"))));
  // Without hidden states there is one score, and the caption speaks of no other.
  EXPECT_THAT(outliers.caption, Not(HasSubstr("combined")));
}

TEST(ViewsSection, OnePictureAloneIsRefused) {
  SmallExport small(SmallQkDescription(1));
  EXPECT_THAT(ErrorOf([&] { return ViewsSection(small.Input()); }),
              HasSubstr("needs at least two pictures, and there is one"));
}

}  // namespace
}  // namespace vggt
