// SPDX-License-Identifier: Apache-2.0
#include "report/query_section.h"

#include <gmock/gmock.h>

#include <numeric>

#include "attention/attention_rows.h"
#include "qk_store_testing.h"
#include "report/draw_chart.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::TestDir;

// A picture of 80 × 40 pixels for 4 × 8 cells, grey but for the cell (row, col).
ChartPicture PictureWithPattern(int64_t row, int64_t col) {
  auto pixels = std::make_shared<Picture>(Picture{80, 40, std::vector<uint8_t>(9600, 128)});
  for (int64_t y = row * 10; y < row * 10 + 10; ++y) {
    for (int64_t x = col * 10; x < col * 10 + 10; ++x) {
      std::fill_n(pixels->rgb.begin() + 3 * (y * 80 + x), 3, (x + y) % 2 == 0 ? 255 : 0);
    }
  }
  ChartPicture picture;
  picture.picture.pixels = pixels;
  picture.grid = {1, 0, 4, 8};
  return picture;
}

TEST(QuerySection, TakesThePatchOfMostContrastInTheMiddleHalf) {
  const QueryPatch patch = ChooseQueryPatch(PictureWithPattern(2, 5));
  EXPECT_EQ(patch.row, 2);
  EXPECT_EQ(patch.col, 5);
  // A pattern at the edge does not count: all else is alike, and the middle is nearest.
  const QueryPatch middle = ChooseQueryPatch(PictureWithPattern(0, 0));
  EXPECT_EQ(middle.row, 1);
  EXPECT_EQ(middle.col, 3);
}

TEST(QuerySection, TakesTheMiddleOfAPictureWithoutPixels) {
  ChartPicture picture;
  picture.grid = {1, 0, 5, 7};
  EXPECT_EQ(ChooseQueryPatch(picture).row, 2);
  EXPECT_EQ(ChooseQueryPatch(picture).col, 3);
  picture.grid = {1, 0, 1, 1};
  EXPECT_EQ(ChooseQueryPatch(picture).row, 0);
}

// The section of a store of random queries and keys, without pictures.
class QueryOfStore : public ::testing::Test {
 protected:
  Section Make(const QkDescription& description, const std::string& preset = "") {
    testing::WriteQkStore(dir_ / "out", description);
    source_ = OpenExport(dir_ / "out");
    store_ = std::make_unique<QkStore>(source_.store->file, std::filesystem::path());
    const auto picture = [this](size_t) {
      ChartPicture empty;
      empty.grid = source_.frames.token_grid(0);
      return empty;
    };
    return QuerySection({source_, *store_, {}, 1, preset, {}, {}, picture, {}, {}});
  }

  TestDir dir_;
  Export source_;
  std::unique_ptr<QkStore> store_;
};

TEST_F(QueryOfStore, ShowsLayersAndHeadsInUnitsOfUniformAttention) {
  const Section section = Make(testing::SmallQkDescription());
  ASSERT_EQ(section.charts.size(), 2U);
  EXPECT_EQ(section.charts[0].panels.size(), 2U * 3);  // layers × pictures
  EXPECT_EQ(section.charts[1].panels.size(), 3U * 3);  // heads × pictures
  EXPECT_EQ(section.charts[0].row_names, (std::vector<std::string>{"layer 1", "layer 5"}));
  EXPECT_THAT(
      section.notes,
      ::testing::Contains("The patch is the middle one of picture 0, which cannot be read."));
  for (const Chart& chart : section.charts) {
    EXPECT_FALSE(DrawChart(chart, FigureFormat::kSvg).empty());
    EXPECT_THAT(chart.caption, HasSubstr("row 1, column 2 of picture 0"));
  }
  // The same row as anyone gets who asks for it, times the number of keys.
  const AttentionRows rows = AttentionRows::Open(dir_ / "out");
  AttentionRequest request;
  request.layers = {1};
  request.tokens = {2 + 1 * 4 + 2};
  request.reduction = HeadReduction::kMean;
  const AttentionAnswer answer = rows.Answer(request);
  const auto& panel = std::get<MapPanel>(section.charts[0].panels[3 + 2]);
  const auto expected = answer.Patches(0, 0, 2);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_FLOAT_EQ(panel.map[i], expected[i] * 42) << i;  // 3 pictures of 2 + 12 tokens
  }
}

TEST_F(QueryOfStore, AllMapsOfAFigureHaveOneScaleAndOneBar) {
  const Section section = Make(testing::SmallQkDescription());
  for (const Chart& chart : section.charts) {
    const auto& first = std::get<MapPanel>(chart.panels[0]);
    for (const ChartPanel& each : chart.panels) {
      const auto& panel = std::get<MapPanel>(each);
      EXPECT_EQ(panel.colours.range.high, first.colours.range.high);
      EXPECT_EQ(panel.colours.range.low, 0);
      EXPECT_TRUE(panel.bar);
    }
  }
}

TEST_F(QueryOfStore, MassesOfARowAddUpToWhatSpecialTokensLeave) {
  const Section section = Make(testing::SmallQkDescription());
  const ReportTable& table = section.tables.at(0);
  ASSERT_EQ(table.rows.size(), 6U);
  double mass = 0;
  for (size_t i = 0; i < 3; ++i) mass += std::get<double>(table.rows[i][2]);
  EXPECT_GT(mass, 0.3);
  EXPECT_LT(mass, 1);
  EXPECT_EQ(table.arrays.at(0).shape, (Shape{2, 3, 3, 4}));
}

TEST_F(QueryOfStore, PresetsFollowTheirDefinitions) {
  const Section seed = Make(testing::SmallQkDescription(), "seed");
  ASSERT_EQ(seed.charts.size(), 1U);
  EXPECT_THAT(seed.charts[0].caption, HasSubstr("patch keys alone"));
  // Patches alone: what they have adds up to 1.
  double sum = 0;
  for (size_t i = 0; i < 3; ++i) {
    const auto& map = std::get<MapPanel>(seed.charts[0].panels[i]).map;
    sum += std::accumulate(map.begin(), map.end(), 0.0);
  }
  EXPECT_NEAR(sum, 1, 1e-5);  // float32 sums
  EXPECT_EQ(std::get<MapPanel>(seed.charts[0].panels[0]).colours.colormap, Colormap::kJet);
  // The table holds the numbers of the figure.
  const ReportTable& table = seed.tables.at(0);
  ASSERT_EQ(seed.tables.size(), 1U);
  EXPECT_EQ(table.name, "query_seed");
  EXPECT_EQ(table.columns[2].name, "mass");
  double mass = 0;
  for (size_t i = 0; i < 3; ++i) mass += std::get<double>(table.rows[i][2]);
  EXPECT_NEAR(mass, 1, 1e-5);
  const auto& first = std::get<MapPanel>(seed.charts[0].panels[0]).map;
  EXPECT_TRUE(std::equal(first.begin(), first.end(), table.arrays[0].values.begin()));
  EXPECT_EQ(std::get<double>(table.rows[0][3]), *std::ranges::max_element(first));
  EXPECT_THAT(table.definition, HasSubstr("without special tokens"));
  ASSERT_FALSE(seed.findings.empty());
  EXPECT_THAT(seed.findings[0], HasSubstr("% of what all patches get"));
  const Section fast = Make(testing::SmallQkDescription(), "fastvggt");
  const ReportTable& logits = fast.tables.at(0);
  EXPECT_EQ(logits.name, "query_fastvggt");
  EXPECT_EQ(logits.columns[2].name, "mean");
  EXPECT_EQ(logits.columns[3].unit, "logit");
  const auto& shown = std::get<MapPanel>(fast.charts.at(0).panels[0]).map;
  EXPECT_TRUE(std::equal(shown.begin(), shown.end(), logits.arrays[0].values.begin()));
  EXPECT_NEAR(std::get<double>(logits.rows[0][2]),
              std::accumulate(shown.begin(), shown.end(), 0.0) / 12, 1e-6);
  EXPECT_THAT(fast.findings.at(0), HasSubstr("a logit of"));
  const auto& panel = std::get<MapPanel>(fast.charts.at(0).panels[0]);
  EXPECT_LT(panel.colours.range.low, 0);  // logits
  EXPECT_THAT(fast.charts[0].caption, HasSubstr("FastVGGT"));
}

TEST_F(QueryOfStore, OnePictureAloneAndFrameBlocksAlone) {
  EXPECT_EQ(Make(testing::SmallQkDescription(1)).charts.at(0).panels.size(), 2U);
  QkDescription frames = testing::SmallQkDescription(2);
  frames.blocks.erase(frames.blocks.begin());
  const Section section = Make(frames);
  EXPECT_THAT(section.charts.at(0).caption, HasSubstr("in frame blocks"));
  EXPECT_EQ(section.charts.at(0).panels.size(), 1U);  // it sees no other picture
}

// The last picture sees all.
TEST_F(QueryOfStore, CausalBlocksAreAskedFromTheirLastPicture) {
  QkDescription d = testing::SmallQkDescription(3);
  d.blocks[0].attends = Attends::kCausal;
  const Section section = Make(d);
  const Chart& chart = section.charts.at(0);
  EXPECT_THAT(chart.caption, HasSubstr("of picture 2 (counted from 0)"));
  EXPECT_THAT(chart.caption, HasSubstr("over all 42 keys"));
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    const auto& panel = std::get<MapPanel>(chart.panels[i]);
    EXPECT_GT(std::accumulate(panel.map.begin(), panel.map.end(), 0.0), 0) << i;
    EXPECT_EQ(panel.marks.size(), i % 3 == 2 ? 1U : 0U) << i;
  }
}

}  // namespace
}  // namespace vggt
