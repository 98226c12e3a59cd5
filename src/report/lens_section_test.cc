// SPDX-License-Identifier: Apache-2.0
#include "report/lens_section.h"

#include <gmock/gmock.h>

#include <optional>
#include <variant>

#include "analysis/layer_lens.h"
#include "geometry/frame_view.h"
#include "geometry/geometry_folder.h"
#include "geometry/prediction_file.h"
#include "geometry_testing.h"
#include "prediction_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestDir;
using testing::WritePredictedWall;

// A small store with the heads' predictions after layers 1, 3 and 5 of five.
class LensSectionTest : public ::testing::Test {
 protected:
  LensSectionTest() : frames_(testing::PlainFrames(3, 3, 4)), folder_(dir_ / "geometry") {
    QkDescription d = testing::SmallQkDescription();
    static_cast<FrameList&>(d) = frames_;
    testing::WriteQkStore(dir_.path(), d);
    for (int i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = frames_.transforms[0];
      view.camera = testing::PlaneCamera(0.3 * i, 0, 2, 60, frames_);
      view.depth = {4, 3, std::vector<float>(12, 2), {}};
      truth_.views.emplace_back(view);
    }
    WriteGeometryFolder(folder_, truth_, frames_, std::vector<uint8_t>(size_t{3} * 56 * 42 * 3));
    source_ = OpenExport(dir_.path());
    store_.emplace(source_.store->file, std::filesystem::path());
  }

  void WriteLens() {
    WritePredictedWall(folder_ / LensName(0), frames_, 0.3, 4, 0.1);
    WritePredictedWall(folder_ / LensName(2), frames_, 0.04, 2, 0.5);
    WritePredictedWall(folder_ / LensName(4), frames_, 0.02, 1, 1);
    WritePredictedWall(folder_ / kPredictionName, frames_, 0.02, 1, 1);
  }

  Section Make(const SceneGeometry* geometry = nullptr) {
    SectionInput input{source_, *store_, {}, 1, "", nullptr, {}, {}, {}, {}};
    input.geometry = geometry;
    return LensSection(input);
  }

  TestDir dir_;
  FrameList frames_;
  std::filesystem::path folder_;
  SceneGeometry truth_{{}, "truth.json"};
  Export source_;
  std::optional<QkStore> store_;
};

TEST_F(LensSectionTest, HasCurvesAndTables) {
  WriteLens();
  const Section section = Make();
  ASSERT_EQ(section.charts.size(), 1U);
  const Chart& chart = section.charts[0];
  EXPECT_NO_THROW(CheckChart(chart));
  ASSERT_EQ(chart.panels.size(), kLensMetrics);
  const LensErrors errors = CompareScenes(ReadPrediction(folder_, LensName(2), frames_),
                                          ReadPrediction(folder_, kPredictionName, frames_));
  for (size_t i = 0; i < kLensMetrics; ++i) {
    const ChartSeries& series = std::get<LinePanel>(chart.panels[i]).series[0];
    EXPECT_EQ(series.x, (std::vector<double>{1, 3, 5}));
    EXPECT_EQ(series.y[1], errors.median[i]);
    EXPECT_EQ(series.low[1], errors.low[i]);
    EXPECT_EQ(series.high[1], errors.high[i]);
  }
  // The last layer is what it is held against.
  EXPECT_EQ(std::get<LinePanel>(chart.panels[0]).series[0].y[2], 0);
  EXPECT_EQ(std::get<LinePanel>(chart.panels[3]).series[0].y[2], 0);

  ASSERT_EQ(section.tables.size(), 2U);
  EXPECT_EQ(section.tables[0].name, "lens");
  EXPECT_THAT(section.tables[0].definition, HasSubstr("as if the model ended there"));
  EXPECT_THAT(TableCsv(section.tables[0]),
              HasSubstr("layer,layer_index,rotation_error,translation_error,focal_ratio,"
                        "depth_error,depth_correlation,"));
  EXPECT_EQ(section.tables[0].rows[1][0], TableCell(int64_t{3}));
  EXPECT_EQ(section.tables[0].rows[1].back(), TableCell(errors.scale));
  EXPECT_EQ(section.tables[1].rows.size(), 9U);
  // 0.28 and 0.56 more turned than they should be: 24.1° in the median; 1.7° after layer 3.
  EXPECT_THAT(section.findings,
              ElementsAre(AllOf(HasSubstr("after layer 1 24.1° and"),
                                HasSubstr("after layer 5 0.0° and 0 %")),
                          HasSubstr("From layer 3 on cameras are within 5° of them")));
}

TEST_F(LensSectionTest, HoldsThemAgainstWhatIsGiven) {
  WriteLens();
  const Section section = Make(&truth_);
  ASSERT_EQ(section.charts.size(), 2U);
  EXPECT_EQ(section.charts[1].name, "lens_given");
  EXPECT_THAT(section.charts[1].caption, HasSubstr("Against truth.json"));
  const auto& panel = std::get<LinePanel>(section.charts[1].panels[0]);
  ASSERT_EQ(panel.levels.size(), 1U);
  EXPECT_NEAR(panel.levels[0].first, 1.5 * 0.02 * 180 / 3.14159265, 1e-3);
  EXPECT_NO_THROW(CheckChart(section.charts[1]));
  EXPECT_EQ(section.tables[3].name, "lens_pictures_given");
  SceneGeometry predicted = truth_;
  predicted.predicted = true;
  EXPECT_EQ(Make(&predicted).charts.size(), 1U);
}

TEST_F(LensSectionTest, SaysHowToHaveIt) {
  const Section section = Make();
  EXPECT_THAT(section.charts, IsEmpty());
  EXPECT_THAT(section.notes, ElementsAre(AllOf(HasSubstr("`layers_lens`"), HasSubstr("heads"))));
}

}  // namespace
}  // namespace vggt
