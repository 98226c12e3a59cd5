// SPDX-License-Identifier: Apache-2.0
#include "report/epipolar_section.h"

#include <gmock/gmock.h>

#include <variant>

#include "analysis/epipolar.h"
#include "geometry_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SmallQkDescription;
using testing::TestDir;

// A small store of random queries and keys, and cameras before a plane.
class EpipolarSectionTest : public ::testing::Test {
 protected:
  EpipolarSectionTest() {
    QkDescription d = SmallQkDescription();
    static_cast<FrameList&>(d) = testing::PlainFrames(3, 3, 4);
    store_.emplace(testing::WriteQkStore(dir_.path(), d), std::filesystem::path());
    for (int i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = d.transforms[0];
      view.camera = testing::PlaneCamera(0.2 * i, 0, 2, 60, d);
      view.depth = {4, 3, std::vector<float>(12, 2), {}};
      scene_.views.emplace_back(view);
    }
  }

  Section Make(const SceneGeometry* geometry, const SceneGeometry* own = nullptr) {
    SectionInput input{source_, *store_, {}, 1, "", nullptr, {}, {}, {}, {}};
    input.geometry = geometry;
    input.own_geometry = own;
    return EpipolarSection(input);
  }

  TestDir dir_;
  Export source_;
  std::optional<QkStore> store_;
  SceneGeometry scene_{{}, "plane.json"};
};

TEST_F(EpipolarSectionTest, HasHeatMapsCurvesAndTables) {
  const Section section = Make(&scene_);
  const EpipolarBoard board = ScoreEpipolar(*store_, scene_, {}, 1);
  const std::vector<size_t> order = MostEpipolarHeads(board, 6);
  ASSERT_EQ(section.charts.size(), 2U);
  const Chart& mass = section.charts[0];
  ASSERT_EQ(mass.panels.size(), 4U);
  const auto& heat = std::get<HeatPanel>(mass.panels[0]);
  EXPECT_EQ(heat.rows, 2);
  EXPECT_EQ(heat.cols, 3);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(heat.values[i], static_cast<float>(board.scores[i].value.of(EpipolarMetric::kMass)));
  }
  EXPECT_EQ(heat.marked[0].first * 3 + heat.marked[0].second, static_cast<int64_t>(order[0]));
  const auto& curves = std::get<LinePanel>(mass.panels[2]);
  EXPECT_EQ(curves.series[0].x, (std::vector<double>{1, 5}));
  EXPECT_EQ(curves.series[2].y, (std::vector<double>{board.area, board.area}));
  for (const Chart& chart : section.charts) {
    EXPECT_NO_THROW(CheckChart(chart));
    EXPECT_THAT(chart.caption, HasSubstr("Against cameras of plane.json"));
  }
  ASSERT_EQ(section.tables.size(), 2U);
  EXPECT_EQ(section.tables[0].name, "epipolar");
  ASSERT_EQ(section.tables[0].rows.size(), 6U);
  EXPECT_THAT(TableCsv(section.tables[0]),
              HasSubstr("block,layer,layer_index,head,head_index,epipolar_mass,"));
  EXPECT_EQ(section.tables[1].rows.size(), 6U);
  EXPECT_EQ(section.tables[1].arrays[0].shape, (Shape{2, 3, 6}));
  EXPECT_THAT(section.findings[0], HasSubstr("has the most mass along epipolar lines"));
}

TEST_F(EpipolarSectionTest, SetsTwoGeometriesBesideEachOther) {
  SceneGeometry own = scene_;
  own.text = "VGGT-1B";
  own.predicted = true;
  const Section section = Make(&scene_, &own);
  ASSERT_EQ(section.tables.size(), 4U);
  EXPECT_EQ(section.tables[2].name, "epipolar_own");
  EXPECT_THAT(section.tables[2].definition, HasSubstr("Against cameras predicted by VGGT-1B."));
  EXPECT_EQ(section.charts[3].name, "epipolar_pose_own");
}

TEST_F(EpipolarSectionTest, SaysWhatItLacks) {
  Section section = Make(nullptr);
  EXPECT_THAT(section.charts, IsEmpty());
  EXPECT_THAT(section.notes, ElementsAre(HasSubstr("that needs cameras")));
  for (auto& view : scene_.views) view->camera.translation = {0, 0, 2};
  section = Make(&scene_);
  EXPECT_THAT(section.charts, IsEmpty());
  EXPECT_THAT(section.notes,
              ElementsAre(HasSubstr("of a pure rotation the fundamental matrix is undefined"),
                          HasSubstr("there is no pair of pictures with epipolar lines")));
}

}  // namespace
}  // namespace vggt
