// SPDX-License-Identifier: Apache-2.0
#include "report/dynamic_section.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "analysis/dynamic_score.h"
#include "section_testing.h"

namespace vggt {
namespace {

using testing::ChartOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallExport;
using testing::SmallQkDescription;

TEST(DynamicSection, ShowsAMapOfEachPictureThatHasOne) {
  SmallExport small(SmallQkDescription(3, 3, 5));
  const Section section = DynamicSection(small.Input("vggt4d"));
  testing::CheckSection(section);
  EXPECT_THAT(section.notes, ::testing::ElementsAre(HasSubstr("away from picture 1,")));
  const Chart& maps = ChartOf(section, "dynamic");
  ASSERT_EQ(maps.panels.size(), 2U);
  const DynamicScores scores = ComputeDynamicScores(small.store());
  const std::vector<float> last(scores.score.end() - 15, scores.score.end());
  EXPECT_EQ(std::get<MapPanel>(maps.panels[1]).title, "picture 2");
  EXPECT_EQ(std::get<MapPanel>(maps.panels[1]).map, last);
  EXPECT_THAT(maps.caption, HasSubstr("are scaled to this model's 5"));
  EXPECT_EQ(ChartOf(section, "dynamic_parts").panels.size(), 6U);

  const ReportTable& table = section.tables.at(0);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(table.rows[1][1]));
  const auto most = std::max_element(last.begin(), last.end()) - last.begin();
  EXPECT_EQ(std::get<int64_t>(table.rows[2][3]), most / 5);
  EXPECT_EQ(std::get<int64_t>(table.rows[2][4]), most % 5);
  EXPECT_EQ(table.arrays.size(), 6U);
}

TEST(DynamicSection, ManyPicturesHaveTwelveMaps) {
  SmallExport small(SmallQkDescription(20, 2, 3));
  const Section section = DynamicSection(small.Input());
  testing::CheckSection(section);
  EXPECT_EQ(ChartOf(section, "dynamic").panels.size(), 12U);
  EXPECT_TRUE(section.notes.empty());
}

TEST(DynamicSection, TwoPicturesAreRefused) {
  SmallExport small(SmallQkDescription(2));
  EXPECT_THAT(ErrorOf([&] { return DynamicSection(small.Input()); }),
              HasSubstr("at least three pictures"));
}

}  // namespace
}  // namespace vggt
