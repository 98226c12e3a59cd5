// SPDX-License-Identifier: Apache-2.0
#include "report/layer_match_section.h"

#include <gmock/gmock.h>

#include "analysis/layer_match.h"
#include "section_testing.h"

namespace vggt {
namespace {

using testing::ChartOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallExport;
using testing::SmallQkDescription;

TEST(LayerMatchSection, HasMatchesWithThreeOthers) {
  SmallExport small(SmallQkDescription(8, 3, 5));
  const Section section = LayerMatchSection(small.Input("poincar3"));
  testing::CheckSection(section);
  const ReportTable& table = section.tables.at(0);
  ASSERT_EQ(table.rows.size(), 3U * 15);
  const std::vector<LayerMatch> matches =
      MatchPatches(small.store(), std::vector<size_t>{0, 1}, 0, 7);
  int64_t mutual = 0;
  for (int64_t p = 0; p < 15; ++p) {
    const std::vector<TableCell>& row = table.rows[30 + p];
    EXPECT_EQ(std::get<int64_t>(row[0]), 7);
    EXPECT_EQ(std::get<int64_t>(row[1]) * 5 + std::get<int64_t>(row[2]), p);
    EXPECT_EQ(std::get<int64_t>(row[3]) * 5 + std::get<int64_t>(row[4]), matches[p].patch);
    EXPECT_EQ(std::get<double>(row[5]), matches[p].x);
    mutual += matches[p].mutual ? 1 : 0;
  }
  const Chart& chart = ChartOf(section, "layer_matches");
  ASSERT_EQ(chart.panels.size(), 3U);
  EXPECT_EQ(std::get<LinksPanel>(chart.panels[2]).links.size(), static_cast<size_t>(mutual));
  EXPECT_THAT(chart.caption, HasSubstr("global layers 1 and 5 (indices 0 and 4)"));
  const auto& sweep = std::get<LinePanel>(ChartOf(section, "layer_match_layers").panels.at(0));
  EXPECT_EQ(sweep.series.size(), 3U);
  EXPECT_EQ(sweep.levels[2].first, static_cast<double>(mutual) / 15);
  EXPECT_EQ(section.findings.size(), 3U);
}

TEST(LayerMatchSection, TwoPicturesHaveOnePair) {
  SmallExport small(SmallQkDescription(2));
  const Section section = LayerMatchSection(small.Input());
  testing::CheckSection(section);
  EXPECT_EQ(section.tables.at(0).rows.size(), 12U);
}

TEST(LayerMatchSection, OnePictureAloneIsRefused) {
  SmallExport small(SmallQkDescription(1));
  EXPECT_THAT(ErrorOf([&] { return LayerMatchSection(small.Input()); }),
              HasSubstr("a match needs at least two pictures"));
}

}  // namespace
}  // namespace vggt
