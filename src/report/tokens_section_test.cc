// SPDX-License-Identifier: Apache-2.0
#include "report/tokens_section.h"

#include <gmock/gmock.h>

#include <map>

#include "attention/attention_rows.h"
#include "qk_store_testing.h"
#include "store/qk/qk_writer.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;

// Sections of a store whose statistics are computed of all rows.
class TokensSectionTest : public ::testing::Test {
 protected:
  Section Make(const std::filesystem::path& file) {
    const QkStore store(file, {});
    Export source;
    source.store = ExportStore{file, store.description(), ""};
    SectionInput input{source, store, {}, 1, "", {}, {}, {}, {}, {}};
    std::map<std::pair<BlockKind, size_t>, LayerStatistics> kept;
    input.statistics = [&](BlockKind kind, size_t layer) -> const LayerStatistics& {
      const QkBlocks& blocks = *store.description().Find(kind);
      const RowSample sample = AllRows(store.description().token_grid(blocks));
      return kept.try_emplace({kind, layer}, ComputeLayerStatistics(store, kind, layer, sample))
          .first->second;
    };
    input.picture = [&](size_t) {
      ChartPicture picture;
      picture.grid = store.description().token_grid(store.description().blocks[0]);
      return picture;
    };
    Section section = TokensSection(input);
    for (const Chart& chart : section.charts) EXPECT_NO_THROW(CheckChart(chart)) << chart.name;
    for (const ReportTable& table : section.tables) {
      for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
    }
    return section;
  }
  TestDir dir_;
};

TEST_F(TokensSectionTest, ShowsFlowHubsAndMaps) {
  const std::filesystem::path file = testing::WriteQkStore(dir_.path(), SmallQkDescription());
  const Section section = Make(file);
  EXPECT_EQ(section.name, "tokens");
  ASSERT_EQ(section.charts.size(), 3U);
  ASSERT_EQ(section.charts[0].panels.size(), kQueryGroups);
  for (const ChartPanel& each : section.charts[0].panels) {
    const auto& panel = std::get<LinePanel>(each);
    for (const size_t layer : {0U, 1U}) {
      double sum = 0;
      for (const ChartSeries& series : panel.series) sum += series.y[layer];
      EXPECT_NEAR(sum, 1, 1e-5) << panel.title;
    }
  }
  // The first camera meets no patches of a first picture that is not its own.
  EXPECT_EQ(std::get<LinePanel>(section.charts[0].panels[0]).series.size(), 5U);
  ASSERT_EQ(section.charts[1].panels.size(), 3U);
  const auto& reference = std::get<LinePanel>(section.charts[1].panels[2]);
  EXPECT_EQ(reference.levels[0].first, 0.5);

  const Chart& maps = section.charts[2];
  ASSERT_EQ(maps.panels.size(), 2U * 3);
  EXPECT_EQ(maps.row_names, (std::vector<std::string>{"camera", "register_1"}));
  AttentionRequest request;
  request.layers = {maps.title.ends_with("layer 5") ? 1U : 0U};
  request.reduction = HeadReduction::kMean;
  request.tokens = {1};
  const AttentionRows rows(file);
  const AttentionAnswer answer = rows.Answer(request);
  const auto& panel = std::get<MapPanel>(maps.panels[5]);  // register, picture 2
  ASSERT_EQ(panel.map.size(), 12U);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_FLOAT_EQ(panel.map[i], answer.Patches(0, 0, 2)[i] * 42);
  }
  EXPECT_TRUE(panel.bar);
}

// All patches look at the first camera token, whose value adds nothing in one head.
TEST_F(TokensSectionTest, NamesSinksAndWhatTheyAdd) {
  QkDescription d = SmallQkDescription(3, 6, 7);
  d.blocks.resize(1);
  d.blocks[0].rope.type = RopeType::kNone;
  const Shape shape = d.shape(d.blocks[0]);
  std::vector<uint16_t> q(static_cast<size_t>(NumElements(shape)), F32ToF16(2.0F)), k = q;
  for (size_t i = 0; i < k.size(); ++i) {
    const auto token = static_cast<int64_t>(i) / shape[2] % shape[1];
    k[i] = F32ToF16(token == 0 ? 2.0F : 0.0F);
  }
  QkExtraValues extras;
  extras.wov_norm.assign(static_cast<size_t>(shape[0] * shape[1]), 1.0F);
  extras.wov_norm[0] = 0.01F;
  d.blocks[0].layers.clear();
  QkWriter writer(dir_.path(), d);
  writer.WriteLayer(BlockKind::kGlobal, 3, q, k, extras);
  writer.Finish();
  const Section section = Make(FindQkDescription(dir_.path()));
  EXPECT_THAT(
      section.findings[0],
      HasSubstr("or more 3 times, 3 of them special tokens; most of all camera of picture 0 "
                "in layer 4, head 1 (132 times). 1 of 3 add nearly nothing"));
  EXPECT_THAT(section.findings[1], HasSubstr("Patches give special tokens most in global layer 4"));
  ASSERT_EQ(section.notes.size(), 1U);
  EXPECT_THAT(section.notes[0], HasSubstr("takes the value vectors"));
  ASSERT_EQ(section.tables[1].rows.size(), 3U);
  EXPECT_EQ(std::get<std::string>(section.tables[1].rows[0][11]), "no-op");
}

// One picture without special tokens: nothing to look at but patches.
TEST_F(TokensSectionTest, OnePictureOfPatchesAlone) {
  QkDescription d = SmallQkDescription(1, 3, 4);
  d.blocks.resize(1);
  d.blocks[0].special_tokens.clear();
  const Section section = Make(testing::WriteQkStore(dir_.path(), d));
  ASSERT_EQ(section.charts.size(), 2U);
  EXPECT_EQ(section.charts[0].panels.size(), 1U);
  EXPECT_EQ(section.charts[1].panels.size(), 2U);
  EXPECT_EQ(section.findings.size(), 1U);
}

}  // namespace
}  // namespace vggt
