// SPDX-License-Identifier: Apache-2.0
#include "report/matches_section.h"

#include <gmock/gmock.h>

#include <variant>

#include "analysis/correspondence.h"
#include "geometry_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;

// A small store of random queries and keys, and a list of random matches of its pictures.
class MatchesSectionTest : public ::testing::Test {
 protected:
  MatchesSectionTest() {
    QkDescription d = SmallQkDescription();
    static_cast<FrameList&>(d) = testing::PlainFrames(3, 3, 4);
    store_.emplace(testing::WriteQkStore(dir_.path(), d), std::filesystem::path());
    std::mt19937 engine(7);
    std::string text = "frame_a,x_a,y_a,frame_b,x_b,y_b\n";
    for (int i = 0; i < 300; ++i) {
      const auto at = [&] { return fmt::format("{},{}", engine() % 56, engine() % 42); };
      const auto frame = engine() % 3;
      text += fmt::format("{},{},{},{}\n", frame, at(), (frame + 1) % 3, at());
    }
    matches_ = dir_.Write("matches.csv", text);
  }

  Section Make(const std::filesystem::path& matches, const std::filesystem::path& geometry) {
    std::optional<SceneMatches> known;
    if (!matches.empty() || !geometry.empty()) {
      CheckMatchInput(matches, geometry);
      known = ReadMatchInput(matches, geometry, store_->description());
    }
    SectionInput input{source_, *store_, {}, 1, "", known ? &*known : nullptr, {}, {}, {}, {}};
    input.picture = [&](size_t frame) {
      ChartPicture picture;
      picture.transform = store_->description().transforms[frame];
      picture.grid = store_->description().token_grid(store_->description().blocks[0]);
      return picture;
    };
    return MatchesSection(input);
  }

  TestDir dir_;
  Export source_;
  std::optional<QkStore> store_;
  std::filesystem::path matches_;
};

TEST_F(MatchesSectionTest, SaysThatGeometryMayNotSuffice) {
  const SceneGeometry cameras{{}, "VGGT-1B", true};
  SectionInput input{source_, *store_, {}, 1, "", nullptr, {}, {}, {}, {}};
  input.geometry = &cameras;
  const Section section = MatchesSection(input);
  EXPECT_TRUE(section.tables.empty());
  ASSERT_EQ(section.notes.size(), 1U);
  EXPECT_THAT(section.notes[0], HasSubstr("the geometry predicted by VGGT-1B has no depth, or no"));
}

TEST_F(MatchesSectionTest, HasAHeatMapCurvesAndTables) {
  const Section section = Make(matches_, {});
  const MatchBoard board = ScoreHeads(*store_, ReadMatches(matches_, store_->description()), {});
  const std::vector<size_t> best = BestHeads(board, 10);
  ASSERT_EQ(best.size(), 6U);
  EXPECT_EQ(section.name, "matches");
  ASSERT_EQ(section.charts.size(), 2U);

  const auto& heat = std::get<HeatPanel>(section.charts[0].panels[0]);
  EXPECT_EQ(heat.rows, 2);
  EXPECT_EQ(heat.cols, 3);
  EXPECT_EQ(heat.row_names, (std::vector<std::string>{"1", "5"}));
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_FLOAT_EQ(heat.values[i],
                    static_cast<float>(board.scores[i].value.of(MatchMetric::kHit1)));
  }
  ASSERT_EQ(heat.marked.size(), 6U);
  EXPECT_EQ(heat.marked[0].first * 3 + heat.marked[0].second, static_cast<int64_t>(best[0]));

  const auto& curves = std::get<LinePanel>(section.charts[0].panels[2]);
  ASSERT_EQ(curves.series.size(), 4U);
  EXPECT_EQ(curves.series[0].x, (std::vector<double>{1, 5}));
  EXPECT_EQ(*std::max_element(curves.series[0].y.begin(), curves.series[0].y.end()),
            board.scores[best[0]].value.of(MatchMetric::kHit1));

  ASSERT_EQ(section.tables.size(), 2U);
  const ReportTable& table = section.tables[0];
  EXPECT_EQ(table.name, "matches");
  ASSERT_EQ(table.rows.size(), 6U);
  const std::string csv = TableCsv(table);
  EXPECT_THAT(csv, HasSubstr("block,layer,layer_index,head,head_index,hit0,hit1,hit2,pck05,pck10,"
                             "mutual,median_error,hit0_se,"));
  EXPECT_THAT(csv, HasSubstr("chance0,chance1,chance2,same_cell0,same_cell1,same_cell2,"
                             "shuffled0,shuffled1,shuffled2,rank\n"));
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(std::get<int64_t>(table.rows[best[0]].back()), 1);
  EXPECT_EQ(std::get<int64_t>(table.rows[3][1]), 5);
  EXPECT_EQ(std::get<int64_t>(table.rows[3][2]), 4);

  const ReportTable& pairs = section.tables[1];
  EXPECT_EQ(pairs.rows.size(), 6U);
  EXPECT_EQ(pairs.arrays[0].shape, (Shape{2, 3, 6}));
  EXPECT_EQ(pairs.arrays[0].values.size(), 36U);
  EXPECT_THAT(section.findings[0],
              HasSubstr(fmt::format("finds {:.1f} ± ",
                                    100 * board.scores[best[0]].value.of(MatchMetric::kHit1))));
}

TEST_F(MatchesSectionTest, DrawsTheBestHeadsAnswers) {
  const Section section = Make(matches_, {});
  const auto& links = std::get<LinksPanel>(section.charts[1].panels[0]);
  EXPECT_EQ(links.links.size(), 60U);  // of about 100 for each pair
  EXPECT_EQ(links.left.grid.width, 4);
  int hits = 0;
  for (const LinksPanel::Link& link : links.links) {
    EXPECT_NEAR(link.from.x - 0.5, std::floor(link.from.x), 1e-12);
    EXPECT_GT(link.to.y, 0);
    EXPECT_LT(link.to.y, 3);
    hits += link.colour == 0 ? 1 : 0;
  }
  EXPECT_THAT(links.legend[0].second, HasSubstr(fmt::format("({})", hits)));
  EXPECT_THAT(links.legend[1].second, HasSubstr(fmt::format("({})", 60 - hits)));
}

TEST_F(MatchesSectionTest, SaysWhatItNeeds) {
  const Section section = Make({}, {});
  EXPECT_TRUE(section.charts.empty());
  ASSERT_EQ(section.notes.size(), 1U);
  EXPECT_THAT(section.notes[0], HasSubstr("Give `matches`"));
  EXPECT_THAT(ErrorOf([&] { return Make(matches_, dir_.path()); }),
              HasSubstr("both `matches` and `geometry` are given"));
  EXPECT_THAT(ErrorOf([&] { return Make({}, testing::SourceDir() / "examples" / "demo"); }),
              HasSubstr("its picture of frame 0 has 780 x 520 pixels, that of the export 56 x 42"));
}

}  // namespace
}  // namespace vggt
