// SPDX-License-Identifier: Apache-2.0
#include "report/layers_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/head_labels.h"
#include "analysis/statistics_tables.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

using Layers = std::span<const LayerStatistics* const>;

// A panel of the figure of layers.
struct Curve {
  HeadMetric metric;
  bool log;
};
constexpr Curve kCurves[] = {
    {HeadMetric::kEntropy, false},      {HeadMetric::kEffectiveKeys, true},
    {HeadMetric::kTop1Mass, false},     {HeadMetric::kTop10Mass, false},
    {HeadMetric::kSpecialMass, false},  {HeadMetric::kOwnMass, false},
    {HeadMetric::kCrossMass, false},    {HeadMetric::kFirstFrameMass, false},
    {HeadMetric::kSameCellMass, false}, {HeadMetric::kMeanDistance, false},
    {HeadMetric::kRopeShare, false},    {HeadMetric::kMutualShare, false},
};
// Panels of the figure of heads.
constexpr HeadMetric kHeadPanels[] = {HeadMetric::kEntropyShare, HeadMetric::kTop10Mass,
                                      HeadMetric::kSpecialMass,  HeadMetric::kCrossMass,
                                      HeadMetric::kSameCellMass, HeadMetric::kMutualShare};

std::string Capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

const char* UnitText(const HeadMetricInfo& info) {
  return std::string_view(info.unit) == "share" ? "share of 1" : info.unit;
}

bool AnyKnown(Layers layers, HeadMetric metric) {
  return std::ranges::any_of(layers, [metric](const LayerStatistics* layer) {
    return std::isfinite(SpreadOf(*layer, metric).mean);
  });
}

LinePanel CurvesOf(Layers layers, const Curve& curve) {
  const HeadMetricInfo& info = InfoOf(curve.metric);
  LinePanel panel;
  panel.title = Capital(info.label);
  panel.x_label = "layer";
  panel.y_label = UnitText(info);
  panel.log_y = curve.log;
  for (const BlockKind kind : kBlockKinds) {
    ChartSeries line, uniform;
    line.label = BlockKindName(kind);
    line.colour = uniform.colour = static_cast<int>(kind);
    uniform.dashed = true;
    for (const LayerStatistics* layer : layers) {
      if (layer->kind != kind) continue;
      const HeadSpread spread = SpreadOf(*layer, curve.metric);
      const auto number = static_cast<double>(layer->layer_index + 1);
      line.x.push_back(number);
      line.y.push_back(spread.mean);
      line.low.push_back(spread.p25);
      line.high.push_back(spread.p75);
      uniform.x.push_back(number);
      uniform.y.push_back(layer->Uniform(curve.metric));
    }
    // What cannot be otherwise: blocks that see one picture give none to others.
    const auto is_zero = [](double value) { return value == 0; };
    if (line.x.empty() || std::ranges::all_of(uniform.y, is_zero)) continue;
    panel.series.push_back(std::move(line));
    panel.series.push_back(std::move(uniform));
  }
  return panel;
}

std::string SampleOf(Layers layers) { return SampleText(layers[0]->sample, layers[0]->grid); }

Chart LayersChart(Layers layers) {
  Chart chart;
  chart.name = "layers";
  chart.title = "Attention through the layers";
  chart.caption = fmt::format(
      "Lines are means over the heads of a layer, bands hold their middle half (25th to 75th "
      "percentile), dashed lines are uniform attention over the same keys. Each head's number is "
      "the mean over {}; softmax over all keys that a query attends to, after RoPE. Special tokens "
      "are keys, not queries. Layers are counted from 1.",
      SampleOf(layers));
  for (const Curve& curve : kCurves) {
    if (AnyKnown(layers, curve.metric)) chart.panels.emplace_back(CurvesOf(layers, curve));
  }
  return chart;
}

HeatPanel HeadsPanel(Layers layers, HeadMetric metric) {
  const HeadMetricInfo& info = InfoOf(metric);
  HeatPanel panel;
  panel.title = Capital(info.label);
  panel.x_label = "head";
  panel.y_label = "layer";
  panel.unit = UnitText(info);
  panel.rows = static_cast<int64_t>(layers.size());
  for (const LayerStatistics* layer : layers) panel.cols = std::max(panel.cols, layer->heads);
  for (const LayerStatistics* layer : layers) {
    panel.row_names.push_back(std::to_string(layer->layer_index + 1));
    for (int64_t head = 0; head < panel.cols; ++head) {
      panel.values.push_back(
          static_cast<float>(head < layer->heads ? layer->Mean(metric, head) : std::nan("")));
    }
  }
  for (int64_t head = 1; head <= panel.cols; ++head) {
    panel.col_names.push_back(std::to_string(head));
  }
  return panel;
}

// All layers of one kind, in their order.
std::vector<const LayerStatistics*> OfKind(Layers layers, BlockKind kind) {
  std::vector<const LayerStatistics*> found;
  for (const LayerStatistics* layer : layers) {
    if (layer->kind == kind) found.push_back(layer);
  }
  return found;
}

Chart HeadsChart(Layers layers, const std::string& name) {
  const char* kind = BlockKindName(layers[0]->kind);
  Chart chart;
  chart.name = name;
  chart.title = fmt::format("Every head of the {} blocks", kind);
  chart.caption = fmt::format(
      "Each cell is a head: the mean over {}. Softmax over all keys that a query attends to, after "
      "RoPE. Layers and heads are counted from 1.",
      SampleOf(layers));
  for (const HeadMetric metric : kHeadPanels) {
    // Blocks that see one picture give none to others.
    const bool can_be = std::ranges::any_of(
        layers, [&](const LayerStatistics* layer) { return layer->Uniform(metric) != 0; });
    if (can_be && AnyKnown(layers, metric)) {
      chart.panels.emplace_back(HeadsPanel(layers, metric));
    }
  }
  return chart;
}

// The layer with the least or the largest mean over heads, if any is known.
const LayerStatistics* Extreme(Layers layers, HeadMetric metric, bool largest) {
  const LayerStatistics* best = nullptr;
  double best_mean = 0;
  for (const LayerStatistics* layer : layers) {
    const double mean = SpreadOf(*layer, metric).mean;
    if (!std::isfinite(mean)) continue;
    if (best == nullptr || (largest ? mean > best_mean : mean < best_mean)) {
      best = layer;
      best_mean = mean;
    }
  }
  return best;
}

void AddSharpness(Layers layers, const std::string& kind, std::vector<std::string>& findings) {
  const LayerStatistics* sharp = Extreme(layers, HeadMetric::kEffectiveKeys, false);
  const LayerStatistics* broad = Extreme(layers, HeadMetric::kEffectiveKeys, true);
  if (sharp == nullptr) return;
  const auto keys = [](const LayerStatistics* layer) {
    return ShortNumber(SpreadOf(*layer, HeadMetric::kEffectiveKeys).mean);
  };
  findings.push_back(fmt::format(
      "{} attention is sharpest in layer {} ({} effective keys of {} on average) and broadest in "
      "layer {} ({}).",
      Capital(kind), sharp->layer_index + 1, keys(sharp),
      ShortNumber(sharp->Uniform(HeadMetric::kEffectiveKeys)), broad->layer_index + 1,
      keys(broad)));
}

void AddShare(Layers layers, HeadMetric metric, const std::string& kind, const char* what,
              std::vector<std::string>& findings) {
  const LayerStatistics* most = Extreme(layers, metric, true);
  const LayerStatistics* least = Extreme(layers, metric, false);
  if (most == nullptr) return;
  const double uniform = most->Uniform(metric);
  findings.push_back(
      fmt::format("In {} blocks {} from {} (layer {}) to {} (layer {}) of a patch's attention{}.",
                  kind, what, PercentText(SpreadOf(*least, metric).mean), least->layer_index + 1,
                  PercentText(SpreadOf(*most, metric).mean), most->layer_index + 1,
                  std::isfinite(uniform)
                      ? fmt::format("; uniform attention would give {}", PercentText(uniform))
                      : ""));
}

void AddLabels(Layers layers, const std::string& kind, std::vector<std::string>& findings) {
  std::vector<int64_t> counts(kHeadLabels);
  int64_t heads = 0, without = 0;
  size_t given = 0;
  for (const LayerStatistics* layer : layers) {
    heads += layer->heads;
    for (const auto& labels : LabelHeads(*layer)) {
      without += labels.empty() ? 1 : 0;
      given += labels.size();
      for (const HeadLabel label : labels) ++counts[static_cast<size_t>(label)];
    }
  }
  std::string text;
  for (const HeadLabelInfo& info : HeadLabels()) {
    const int64_t count = counts[static_cast<size_t>(info.label)];
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, info.text);
  }
  if (text.empty()) return;
  findings.push_back(fmt::format(
      "Of the {} {} heads, by the rules of the table of heads: {}; {} {} no label{}.", heads, kind,
      text, without == 0 ? "none" : std::to_string(without), without > 1 ? "have" : "has",
      given > static_cast<size_t>(heads - without) ? ", some have several" : ""));
}

void AddMatcher(Layers layers, std::vector<std::string>& findings) {
  const LayerStatistics* best = nullptr;
  int64_t best_head = 0;
  double most = 0;
  for (const LayerStatistics* layer : layers) {
    for (int64_t head = 0; head < layer->heads; ++head) {
      const double share = layer->Mean(HeadMetric::kMutualShare, head);
      if (!(share > most)) continue;
      best = layer, best_head = head, most = share;
    }
  }
  if (best == nullptr) return;
  findings.push_back(fmt::format(
      "Head {} of {} layer {} has the most mutual matches between pictures: {} of patches and "
      "their best keys choose each other ({} by chance).",
      best_head + 1, BlockKindName(best->kind), best->layer_index + 1, PercentText(most),
      PercentText(best->Uniform(HeadMetric::kMutualShare))));
}

std::vector<std::string> FindingsOf(Layers all) {
  std::vector<std::string> findings;
  for (const BlockKind kind : kBlockKinds) {
    const auto layers = OfKind(all, kind);
    if (layers.empty()) continue;
    const std::string name = BlockKindName(kind);
    AddSharpness(layers, name, findings);
    if (kind == BlockKind::kGlobal && layers[0]->grid.frames > 1) {
      AddShare(layers, HeadMetric::kCrossMass, name, "patches of other pictures get", findings);
      AddShare(layers, HeadMetric::kSameCellMass, name, "the same cell of other pictures gets",
               findings);
      AddMatcher(layers, findings);
    }
    if (layers[0]->grid.all_specials() > 0) {
      AddShare(layers, HeadMetric::kSpecialMass, name, "special tokens get", findings);
    }
    AddLabels(layers, name, findings);
  }
  return findings;
}

}  // namespace

HeadSpread SpreadOf(const LayerStatistics& layer, HeadMetric metric) {
  std::vector<double> values;
  for (int64_t head = 0; head < layer.heads; ++head) {
    if (std::isfinite(layer.Mean(metric, head))) values.push_back(layer.Mean(metric, head));
  }
  if (values.empty()) return {std::nan(""), std::nan(""), std::nan("")};
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
  };
  double sum = 0;
  for (const double value : values) sum += value;
  return {sum / static_cast<double>(values.size()), quantile(0.25), quantile(0.75)};
}

std::vector<const LayerStatistics*> AllStatistics(const SectionInput& input) {
  const auto& blocks = input.store.description().blocks;
  size_t count = 0;
  for (const QkBlocks& each : blocks) count += each.layers.size();
  std::vector<const LayerStatistics*> layers;
  for (const QkBlocks& each : blocks) {
    for (size_t i = 0; i < each.layers.size(); ++i) {
      CheckStop(input.stop_check);
      layers.push_back(&input.statistics(each.kind, i));
      if (input.progress) {
        input.progress(static_cast<double>(layers.size()) / static_cast<double>(count));
      }
    }
  }
  return layers;
}

Section LayersSectionOf(Layers layers) {
  Section section;
  section.name = "layers";
  section.title = "Attention through the layers";
  section.findings = FindingsOf(layers);
  section.charts.push_back(LayersChart(layers));
  for (const BlockKind kind : kBlockKinds) {
    const auto of_kind = OfKind(layers, kind);
    if (of_kind.empty()) continue;
    const bool main = of_kind[0]->kind == layers[0]->kind;
    section.charts.push_back(
        HeadsChart(of_kind, main ? "heads" : fmt::format("heads_{}", BlockKindName(kind))));
  }
  section.tables = {HeadsTable(layers), LayersTable(layers), FramesTable(layers)};
  ReportTable pairs = PairsTable(layers);
  if (!pairs.rows.empty() || !pairs.arrays.empty()) section.tables.push_back(std::move(pairs));
  const TokenGrid& grid = layers[0]->grid;
  if (grid.frames == 1) {
    section.notes.push_back(
        "The export has one picture: there is no attention between pictures to speak of.");
  }
  if (OfKind(layers, BlockKind::kGlobal).empty()) {
    section.notes.push_back(
        "The export holds no global blocks: numbers are of attention within each picture.");
  }
  if (!layers[0]->sample.all) {
    section.notes.push_back(
        "The share of mutual matches needs every row of the attention: ask for all rows.");
  }
  return section;
}

Section LayersSection(const SectionInput& input) { return LayersSectionOf(AllStatistics(input)); }

}  // namespace vggt
