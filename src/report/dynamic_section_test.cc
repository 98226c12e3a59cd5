// SPDX-License-Identifier: Apache-2.0
#include "report/dynamic_section.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "analysis/dynamic_score.h"
#include "geometry_testing.h"
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

TEST(DynamicSection, MasksAreWhatExceedsTheThreshold) {
  QkDescription d = SmallQkDescription(3, 3, 5);
  for (int i = 0; i < 3; ++i) {
    FrameTransform t{100, 60, 70, 42, 0, 42, 0, 0, 70, 42};
    d.transforms.push_back(t);
    d.image_sizes.push_back({100, 60});
    d.sources.push_back({"a.png", {}});
  }
  SmallExport small(d);
  const Section section = DynamicSection(small.Input());
  testing::CheckSection(section);
  const ReportTable& table = testing::TableOf(section, "dynamic_masks");
  ASSERT_EQ(table.rows.size(), 2U);  // picture 1 has no map
  const Chart& chart = ChartOf(section, "dynamic_masks");
  ASSERT_EQ(chart.panels.size(), 2U);
  ASSERT_EQ(section.pictures.size(), 2U);
  EXPECT_EQ(section.pictures[1].name, "dynamic_mask_02");
  const Picture mask = section.pictures[1].make();
  EXPECT_EQ(mask.width, 100);
  EXPECT_EQ(mask.height, 60);
  // The picture shows the share that the table has, at another resolution.
  double white = 0;
  for (size_t i = 0; i < mask.rgb.size(); i += 3) white += mask.rgb[i] == 255;
  EXPECT_NEAR(white / 6000, std::get<double>(table.rows[1][1]), 0.02);
  // At the centre of each patch it is what the figure shows.
  const std::vector<float>& map = std::get<MapPanel>(chart.panels[1]).map;
  for (int patch = 0; patch < 15; ++patch) {
    const int x = 20 * (patch % 5) + 10, y = 20 * (patch / 5) + 10;
    EXPECT_EQ(mask.rgb[3 * (y * 100 + x)], map[static_cast<size_t>(patch)] > 0 ? 255 : 0) << patch;
  }
}

TEST(DynamicSection, ShowsWhereDepthsDisagreeIfTheyAreKnown) {
  const FrameList frames = testing::PlainFrames(3, 4, 5);
  SceneGeometry scene{{}, "plane.json"};
  for (int64_t i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = frames.transforms[static_cast<size_t>(i)];
    view.camera = testing::PlaneCamera(0, 0, 2, 100, frames);
    view.depth = {5, 4, std::vector<float>(20, i == 2 ? 1.5F : 2.0F), {}};
    scene.views.emplace_back(view);
  }
  QkDescription d = SmallQkDescription(3, 4, 5);
  d.transforms = frames.transforms;
  d.image_sizes = frames.image_sizes;
  d.sources = frames.sources;
  SmallExport with(d);
  SectionInput input = with.Input();
  input.geometry = &scene;
  const Section section = DynamicSection(input);
  testing::CheckSection(section);
  const ReportTable& table = testing::TableOf(section, "depth_errors");
  // Pictures 0 and 1 agree with each other, and differ from 2 by a quarter; 2 by a third from both.
  EXPECT_NEAR(std::get<double>(table.rows[0][2]), 0.125, 1e-6);
  EXPECT_NEAR(std::get<double>(table.rows[2][2]), 1 / 3.0, 1e-6);
  EXPECT_EQ(ChartOf(section, "depth_errors").panels.size(), 3U);
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
