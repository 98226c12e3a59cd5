// SPDX-License-Identifier: Apache-2.0
#include "report/layers_section.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "analysis/head_labels.h"
#include "report/draw_chart.h"
#include "statistics_testing.h"

namespace vggt {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::MadeStatistics;

std::vector<const LayerStatistics*> Pointers(const std::vector<LayerStatistics>& layers) {
  std::vector<const LayerStatistics*> pointers;
  for (const LayerStatistics& layer : layers) pointers.push_back(&layer);
  return pointers;
}

double& MeanAt(LayerStatistics& layer, HeadMetric metric, int64_t head) {
  return layer.mean[static_cast<size_t>(metric) * static_cast<size_t>(layer.heads) +
                    static_cast<size_t>(head)];
}

const LinePanel& PanelNamed(const Chart& chart, const std::string& title) {
  for (const ChartPanel& panel : chart.panels) {
    const auto* lines = std::get_if<LinePanel>(&panel);
    if (lines != nullptr && lines->title == title) return *lines;
  }
  throw Error("no panel " + title);
}

TEST(LayersSection, SpreadIsThatOfKnownHeads) {
  LayerStatistics layer = MadeStatistics(BlockKind::kGlobal, 0, 5);
  for (int64_t head = 0; head < 5; ++head) {
    MeanAt(layer, HeadMetric::kEntropy, head) = static_cast<double>(head);
  }
  const HeadSpread spread = SpreadOf(layer, HeadMetric::kEntropy);
  EXPECT_DOUBLE_EQ(spread.mean, 2);
  EXPECT_DOUBLE_EQ(spread.p25, 1);
  EXPECT_DOUBLE_EQ(spread.p75, 3);
  for (int64_t head = 0; head < 4; ++head) MeanAt(layer, HeadMetric::kEntropy, head) = NAN;
  EXPECT_DOUBLE_EQ(SpreadOf(layer, HeadMetric::kEntropy).mean, 4);
  MeanAt(layer, HeadMetric::kEntropy, 4) = NAN;
  EXPECT_TRUE(std::isnan(SpreadOf(layer, HeadMetric::kEntropy).mean));
}

TEST(LayersSection, HasACurveForEachKindOfBlock) {
  const std::vector<LayerStatistics> layers = {
      MadeStatistics(BlockKind::kGlobal, 0), MadeStatistics(BlockKind::kGlobal, 4),
      MadeStatistics(BlockKind::kFrame, 1, 2), MadeStatistics(BlockKind::kEncoder, 2)};
  const Section section = LayersSectionOf(Pointers(layers));
  ASSERT_EQ(section.charts.size(), 4U);
  EXPECT_EQ(section.charts[1].name, "heads");
  EXPECT_EQ(section.charts[2].name, "heads_frame");
  EXPECT_EQ(section.charts[3].name, "heads_encoder");
  const LinePanel& entropy = PanelNamed(section.charts[0], "Entropy");
  ASSERT_EQ(entropy.series.size(), 6U);  // a line and its baseline each
  EXPECT_EQ(entropy.series[0].label, "global");
  EXPECT_EQ(entropy.series[0].x, (std::vector<double>{1, 5}));
  EXPECT_EQ(entropy.series[2].label, "frame");
  EXPECT_EQ(entropy.series[2].x, (std::vector<double>{2}));
  EXPECT_EQ(entropy.series[4].label, "encoder");
  EXPECT_TRUE(entropy.series[1].dashed);
  EXPECT_DOUBLE_EQ(entropy.series[1].y[0],
                   layers[0].uniform[static_cast<size_t>(HeadMetric::kEntropy)]);
  for (const Chart& chart : section.charts) {
    EXPECT_FALSE(DrawChart(chart, FigureFormat::kSvg).empty());
  }
}

TEST(LayersSection, HeadsAreCellsOfTheFirstKind) {
  const std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kGlobal, 0),
                                               MadeStatistics(BlockKind::kGlobal, 4),
                                               MadeStatistics(BlockKind::kFrame, 0)};
  const Section section = LayersSectionOf(Pointers(layers));
  const auto& panel = std::get<HeatPanel>(section.charts[1].panels[0]);
  EXPECT_EQ(panel.rows, 2);
  EXPECT_EQ(panel.cols, 3);
  EXPECT_EQ(panel.row_names, (std::vector<std::string>{"1", "5"}));
  EXPECT_FLOAT_EQ(panel.values[3],
                  static_cast<float>(layers[1].Mean(HeadMetric::kEntropyShare, 0)));
}

TEST(LayersSection, MetricsThatMeanNothingHaveNoPanel) {
  std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kGlobal, 0)};
  const size_t all = LayersSectionOf(Pointers(layers)).charts[0].panels.size();
  for (int64_t head = 0; head < 3; ++head) {
    MeanAt(layers[0], HeadMetric::kMutualShare, head) = NAN;
  }
  EXPECT_EQ(LayersSectionOf(Pointers(layers)).charts[0].panels.size(), all - 1);
}

TEST(LayersSection, FindingsNameTheLayers) {
  std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kGlobal, 2),
                                         MadeStatistics(BlockKind::kGlobal, 6)};
  for (int64_t head = 0; head < 3; ++head) {
    MeanAt(layers[0], HeadMetric::kEffectiveKeys, head) = 12;
    MeanAt(layers[1], HeadMetric::kEffectiveKeys, head) = 40;
  }
  MeanAt(layers[1], HeadMetric::kMutualShare, 1) = 0.97;
  const Section section = LayersSectionOf(Pointers(layers));
  EXPECT_THAT(section.findings,
              Contains(HasSubstr("Global attention is sharpest in layer 3 (12 effective keys")));
  EXPECT_THAT(section.findings,
              Contains(HasSubstr("Head 2 of global layer 7 has the most mutual")));
}

TEST(LayersSection, LabelsAreCountedWithHeadsThatHaveNone) {
  std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kGlobal, 2)};
  const auto labels = LabelHeads(layers[0]);
  const auto without = std::ranges::count_if(labels, [](const auto& all) { return all.empty(); });
  ASSERT_LT(without, std::ssize(labels));
  EXPECT_THAT(LayersSectionOf(Pointers(layers)).findings,
              Contains(AllOf(
                  HasSubstr("Of the 3 global heads"),
                  HasSubstr(fmt::format("; {} ", without == 0 ? "none" : std::to_string(without))),
                  HasSubstr("no label"))));
}

TEST(LayersSection, MassesThatCannotBeHaveNoPanel) {
  std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kFrame, 0)};
  const size_t all = LayersSectionOf(Pointers(layers)).charts[1].panels.size();
  layers[0].uniform[static_cast<size_t>(HeadMetric::kCrossMass)] = 0;
  EXPECT_EQ(LayersSectionOf(Pointers(layers)).charts[1].panels.size(), all - 1);
}

TEST(LayersSection, NotesSayWhatIsMissing) {
  std::vector<LayerStatistics> layers = {MadeStatistics(BlockKind::kFrame, 0, 3, 1)};
  layers[0].sample.all = false;
  const Section section = LayersSectionOf(Pointers(layers));
  EXPECT_THAT(section.notes, Contains(HasSubstr("one picture")));
  EXPECT_THAT(section.notes, Contains(HasSubstr("no global blocks")));
  EXPECT_THAT(section.notes, Contains(HasSubstr("every row")));
}

}  // namespace
}  // namespace vggt
