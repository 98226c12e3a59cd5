// SPDX-License-Identifier: Apache-2.0
#include "report/similarity_section.h"

#include <gmock/gmock.h>

#include "analysis/similarity.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;

TEST(SimilaritySection, HasALineForEachKindOfBlock) {
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), SmallQkDescription()), {});
  const Export source;
  LayerStatistics statistics;
  statistics.heads = 2;
  statistics.mean.assign(2 * kHeadMetrics, 0);
  statistics.mean[2 * static_cast<size_t>(HeadMetric::kRowSimilarity)] = 0.5;
  SectionInput input{source, store, {}, 1, "", {}, {}, {}, {}, {}};
  input.statistics = [&](BlockKind, size_t layer) -> const LayerStatistics& {
    statistics.layer_index = static_cast<int64_t>(layer);
    return statistics;
  };
  const Section section = SimilaritySection(input);
  ASSERT_EQ(section.charts.size(), 1U);
  EXPECT_NO_THROW(CheckChart(section.charts[0]));
  const auto& panels = section.charts[0].panels;
  ASSERT_EQ(panels.size(), 6U);  // no hidden states
  const auto layers = ComputeSimilarity(store, BlockKind::kGlobal);
  const auto& keys = std::get<LinePanel>(panels[0]);
  ASSERT_EQ(keys.series.size(), 3U);
  EXPECT_EQ(keys.series[0].label, "global");
  EXPECT_EQ(keys.series[0].x, (std::vector<double>{1, 5}));
  EXPECT_EQ(keys.series[0].y[1], layers[1].keys.cosines[3].within);
  EXPECT_EQ(std::get<LinePanel>(panels[1]).series.size(), 6U);
  EXPECT_EQ(std::get<LinePanel>(panels[3]).series[2].y, (std::vector<double>{0.25}));
  // One layer has no next one.
  EXPECT_EQ(std::get<LinePanel>(panels[5]).series.size(), 1U);
  ASSERT_EQ(section.findings.size(), 3U);
  const bool second = layers[1].keys.cosines[3].within > layers[0].keys.cosines[3].within;
  EXPECT_THAT(section.findings[0],
              HasSubstr(fmt::format("are most alike in layer {} (mean cosine", second ? 5 : 1)));
  EXPECT_THAT(section.findings[2], HasSubstr("of 1 pairs of neighbouring global layers"));
  EXPECT_EQ(section.notes.size(), 1U);
  EXPECT_EQ(section.tables.size(), 2U);
}

// One picture of one patch has no pairs: nothing is claimed of them.
TEST(SimilaritySection, OnePatch) {
  QkDescription d = SmallQkDescription(1, 1, 1);
  d.blocks.resize(1);
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), d), {});
  const Export source;
  const Section section =
      SimilaritySection(SectionInput{source, store, {}, 1, "", {}, {}, {}, {}, {}});
  ASSERT_EQ(section.charts.size(), 1U);
  EXPECT_EQ(section.charts[0].panels.size(), 1U);
  EXPECT_NO_THROW(CheckChart(section.charts[0]));
  ASSERT_EQ(section.findings.size(), 1U);
  EXPECT_THAT(section.findings[0], HasSubstr("effective rank 1"));
}

}  // namespace
}  // namespace vggt
