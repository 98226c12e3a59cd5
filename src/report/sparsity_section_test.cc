// SPDX-License-Identifier: Apache-2.0
#include "report/sparsity_section.h"

#include <gmock/gmock.h>

#include "analysis/sparsity.h"
#include "qk_store_testing.h"
#include "store/qk/qk_writer.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;

Section Make(const QkStore& store) {
  const Export source;
  double progress = 0;
  SectionInput input{source, store, 9, 3, "", {}, {}, {}, {}, {}};
  input.progress = [&](double done) {
    EXPECT_GT(done, progress);
    progress = done;
  };
  const Section section = SparsitySection(input);
  EXPECT_EQ(progress, 1);
  for (const Chart& chart : section.charts) EXPECT_NO_THROW(CheckChart(chart));
  for (const ReportTable& table : section.tables) {
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  }
  return section;
}

TEST(SparsitySection, ShowsRulesHeadsAndMasks) {
  const QkDescription d = SmallQkDescription(3, 9, 11);
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), d), {});
  const Section section = Make(store);
  EXPECT_EQ(section.name, "sparsity");
  ASSERT_EQ(section.charts.size(), 2U);
  ASSERT_EQ(section.charts[0].panels.size(), 3U);  // without lengths nothing is weighted
  const auto& curves = std::get<LinePanel>(section.charts[0].panels[0]);
  ASSERT_EQ(curves.series.size(), 7U);
  const ChartSeries& top = curves.series[0];
  EXPECT_NEAR(top.x.back(), 100, 1e-9);
  EXPECT_NEAR(top.y.back(), 1, 1e-5);
  for (size_t i = 1; i < top.x.size(); ++i) {
    EXPECT_GE(top.x[i], top.x[i - 1]);
    EXPECT_GE(top.y[i], top.y[i - 1]);
    EXPECT_LE(top.low[i], top.high[i]);
  }
  const auto& heads = std::get<HeatPanel>(section.charts[0].panels[2]);
  const LayerSparsity second =
      ComputeLayerSparsity(store, BlockKind::kGlobal, 1, SampledRows(d.token_grid(d.blocks[0]), 9));
  EXPECT_FLOAT_EQ(heads.values[3 + 2], static_cast<float>(100 * second.keys_for_90[2]));
  EXPECT_EQ(heads.row_names, (std::vector<std::string>{"1", "5"}));
  const auto& mask = std::get<HeatPanel>(section.charts[1].panels[0]);
  EXPECT_EQ(mask.rows, 3);
  EXPECT_EQ(mask.cols, 5);
  EXPECT_EQ(mask.classes, (std::vector<std::string>{"left out", "kept"}));
  EXPECT_EQ(mask.col_edges, (std::vector<double>{99.0 / 64, 198.0 / 64}));
  ASSERT_EQ(section.findings.size(), 3U);
  EXPECT_THAT(section.findings[0], HasSubstr("of the keys hold 90 % of a query's mass"));
  ASSERT_EQ(section.notes.size(), 2U);
  EXPECT_THAT(section.charts[0].caption, HasSubstr("9 of 99 patches of each of 3 pictures"));
  EXPECT_THAT(section.charts[0].caption, HasSubstr("seed 3"));
  EXPECT_THAT(section.charts[0].caption, HasSubstr("not the best that anchors can do"));
  EXPECT_THAT(section.charts[0].caption, HasSubstr("always "));
  EXPECT_EQ(top.y.back(), 1);  // all keys are all
}

// Lengths of values that are all alike change no mass.
TEST(SparsitySection, WeighsByLengthsWhereTheExportHasThem) {
  QkDescription d = SmallQkDescription(3, 5, 7);
  d.blocks.resize(1);
  const Shape shape = d.shape(d.blocks[0]);
  std::vector<uint16_t> tensors[2];
  for (const int which : {0, 1}) {
    for (const float x : testing::QkValues(d, d.blocks[0], 0, which)) {
      tensors[which].push_back(F32ToF16(x));
    }
  }
  d.blocks[0].layers.clear();
  QkExtraValues extras;
  extras.wov_norm.assign(static_cast<size_t>(shape[0] * shape[1]), 0.5F);
  const TestDir dir;
  QkWriter writer(dir.path(), d);
  writer.WriteLayer(BlockKind::kGlobal, 0, tensors[0], tensors[1], extras);
  writer.Finish();
  const Section section = Make(QkStore(FindQkDescription(dir.path()), {}));
  ASSERT_EQ(section.charts[0].panels.size(), 4U);
  const auto& plain = std::get<LinePanel>(section.charts[0].panels[0]);
  const auto& weighted = std::get<LinePanel>(section.charts[0].panels[3]);
  for (size_t s = 0; s < plain.series.size(); ++s) {
    for (size_t i = 0; i < plain.series[s].y.size(); ++i) {
      EXPECT_NEAR(weighted.series[s].y[i], plain.series[s].y[i], 1e-6);
    }
  }
  EXPECT_EQ(section.notes.size(), 1U);
}

// Without global blocks those of the first kind are shown, and no other picture is spoken of.
TEST(SparsitySection, TakesOtherBlocks) {
  QkDescription d = SmallQkDescription(2, 3, 4);
  d.blocks.erase(d.blocks.begin());
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), d), {});
  const Section section = Make(store);
  EXPECT_EQ(std::get<std::string>(section.tables[0].rows[0][0]), "frame");
  EXPECT_EQ(section.findings.size(), 2U);
  EXPECT_EQ(section.charts.size(), 1U);  // one block of queries, one of keys
}

}  // namespace
}  // namespace vggt
