// SPDX-License-Identifier: Apache-2.0
#include "report/scenes_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/error.h"
#include "report/chart_axis.h"
#include "report/layers_section.h"

namespace vggt {
namespace {

constexpr HeadMetric kScenePanels[] = {HeadMetric::kEntropyShare, HeadMetric::kTop10Mass,
                                       HeadMetric::kSpecialMass,  HeadMetric::kCrossMass,
                                       HeadMetric::kSameCellMass, HeadMetric::kRopeShare};

// "24 global layers of 16 heads, 24 frame layers of 16 heads"
std::string ShapeText(const Scene& scene) {
  std::string text;
  for (const BlockKind kind : kBlockKinds) {
    int64_t layers = 0, heads = 0;
    for (const LayerStatistics* layer : scene.layers) {
      if (layer->kind == kind) ++layers, heads = layer->heads;
    }
    if (layers == 0) continue;
    text += fmt::format("{}{} {} layer{} of {} heads", text.empty() ? "" : ", ", layers,
                        BlockKindName(kind), layers == 1 ? "" : "s", heads);
  }
  return text;
}

bool Fit(const Scene& a, const Scene& b) {
  return std::ranges::equal(a.layers, b.layers, [](const auto* left, const auto* right) {
    return left->kind == right->kind && left->layer_index == right->layer_index &&
           left->heads == right->heads;
  });
}

struct MeanAndSpread {
  double mean = 0, sd = 0;
};

MeanAndSpread Over(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / count) * (value - sum / count);
  return {sum / count, std::sqrt(squares / (count - 1))};
}

// A head's number in each scene: itself, or as a multiple of what uniform attention gives.
std::vector<double> ValuesOf(const std::vector<Scene>& scenes, size_t layer, int64_t head,
                             HeadMetric metric, bool over_uniform) {
  std::vector<double> values;
  for (const Scene& scene : scenes) {
    const LayerStatistics& of = *scene.layers[layer];
    values.push_back(of.Mean(metric, head) / (over_uniform ? of.Uniform(metric) : 1));
  }
  return values;
}

// Scenes of other numbers of pictures or patches have other uniform attention: their numbers can
// be compared only as multiples of it.
bool UniformDiffers(const std::vector<Scene>& scenes, size_t layer, HeadMetric metric) {
  const double first = scenes[0].layers[layer]->Uniform(metric);
  return std::ranges::any_of(scenes, [&](const Scene& scene) {
    return std::abs(scene.layers[layer]->Uniform(metric) - first) > 1e-9 * std::abs(first);
  });
}

ReportTable ScenesTable(const std::vector<Scene>& scenes) {
  ReportTable table;
  table.name = "scenes";
  table.title = "Heads over scenes";
  table.definition =
      "Of each head's metrics the mean over scenes and the standard deviation between them (of n − "
      "1). Softmax over all keys that a query attends to, after RoPE; means over patch queries of "
      "all pictures. Uniform attention is another one in scenes of another number of pictures or "
      "patches; _over_uniform are numbers as multiples of what it gives in their own scene.";
  for (const Scene& scene : scenes) {
    const LayerStatistics& first = *scene.layers.front();
    table.sample += fmt::format("{}{}: {}", table.sample.empty() ? "" : "; ", scene.name,
                                SampleText(first.sample, first.grid));
  }
  table.columns = {{"block", "", "kind of block: global, frame or encoder"},
                   {"layer", "", "counted from 1"},
                   {"layer_index", "", "counted from 0"},
                   {"head", "", "counted from 1"},
                   {"head_index", "", "counted from 0"},
                   {"scenes", "", "how many there are"}};
  for (const HeadMetricInfo& info : HeadMetrics()) {
    table.columns.push_back({info.name, info.unit, info.definition});
  }
  for (const HeadMetricInfo& info : HeadMetrics()) {
    table.columns.push_back({std::string(info.name) + "_sd", info.unit,
                             std::string("standard deviation between scenes of ") + info.label});
  }
  for (const HeadMetricInfo& info : HeadMetrics()) {
    const std::string name = std::string(info.name) + "_over_uniform";
    table.columns.push_back({name, "× uniform", std::string(info.label) + ", mean over scenes"});
    table.columns.push_back({name + "_sd", "× uniform", "its standard deviation between scenes"});
  }
  for (size_t i = 0; i < scenes[0].layers.size(); ++i) {
    const LayerStatistics& layer = *scenes[0].layers[i];
    for (int64_t head = 0; head < layer.heads; ++head) {
      std::vector<TableCell> row = {std::string(BlockKindName(layer.kind)),
                                    layer.layer_index + 1,
                                    layer.layer_index,
                                    head + 1,
                                    head,
                                    static_cast<int64_t>(scenes.size())};
      std::vector<TableCell> spreads, ratios;
      for (const HeadMetricInfo& info : HeadMetrics()) {
        const MeanAndSpread over = Over(ValuesOf(scenes, i, head, info.metric, false));
        row.emplace_back(over.mean);
        spreads.emplace_back(over.sd);
        const MeanAndSpread ratio = Over(ValuesOf(scenes, i, head, info.metric, true));
        ratios.emplace_back(ratio.mean);
        ratios.emplace_back(ratio.sd);
      }
      row.insert(row.end(), spreads.begin(), spreads.end());
      row.insert(row.end(), ratios.begin(), ratios.end());
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

LinePanel ScenePanel(const std::vector<Scene>& scenes, BlockKind kind, HeadMetric metric) {
  const HeadMetricInfo& info = InfoOf(metric);
  LinePanel panel;
  panel.title = info.label;
  panel.title[0] = static_cast<char>(std::toupper(panel.title[0]));  // labels are ASCII
  panel.x_label = fmt::format("{} layer", BlockKindName(kind));
  const bool ratio = UniformDiffers(scenes, 0, metric);
  panel.y_label = ratio                                    ? "× uniform"
                  : std::string_view(info.unit) == "share" ? "share of 1"
                                                           : info.unit;
  ChartSeries uniform{.colour = static_cast<int>(scenes.size()), .dashed = true};
  for (size_t i = 0; i < scenes.size(); ++i) {
    ChartSeries series;
    series.label = scenes[i].name;
    series.colour = static_cast<int>(i);
    for (const LayerStatistics* layer : scenes[i].layers) {
      if (layer->kind != kind) continue;
      const double of_uniform = layer->Uniform(metric);
      series.x.push_back(static_cast<double>(layer->layer_index + 1));
      series.y.push_back(SpreadOf(*layer, metric).mean / (ratio ? of_uniform : 1));
      if (i == 0) uniform.y.push_back(ratio ? 1 : of_uniform);
    }
    if (i == 0) uniform.x = series.x;
    panel.series.push_back(std::move(series));
  }
  if (std::ranges::all_of(uniform.y, [](double value) { return std::isfinite(value); })) {
    uniform.label = "uniform attention";
    panel.series.push_back(std::move(uniform));
  }
  return panel;
}

// The head that differs most between scenes, in one sentence.
std::string MostVaried(const std::vector<Scene>& scenes, HeadMetric metric) {
  const LayerStatistics* varied = nullptr;
  int64_t varied_head = 0;
  MeanAndSpread most;
  bool ratio = false;  // of one metric alike in all layers that have a uniform number
  for (size_t i = 0; i < scenes[0].layers.size(); ++i) {
    ratio = ratio || UniformDiffers(scenes, i, metric);
  }
  for (size_t i = 0; i < scenes[0].layers.size(); ++i) {
    const LayerStatistics& layer = *scenes[0].layers[i];
    for (int64_t head = 0; head < layer.heads; ++head) {
      const MeanAndSpread over = Over(ValuesOf(scenes, i, head, metric, ratio));
      if (over.sd > most.sd) varied = &layer, varied_head = head, most = over;
    }
  }
  if (varied == nullptr) return "";
  return fmt::format(
      "The {} of head {} of {} layer {} differs most between scenes: {} ± {}{} (± standard "
      "deviation "
      "over {} scenes).",
      InfoOf(metric).label, varied_head + 1, BlockKindName(varied->kind), varied->layer_index + 1,
      ShortNumber(most.mean), ShortNumber(most.sd, 2),
      ratio ? " times that of uniform attention in the same scene" : "", scenes.size());
}

}  // namespace

void CheckScenesFit(const std::vector<Scene>& scenes) {
  for (const Scene& scene : scenes) {
    if (Fit(scenes[0], scene)) continue;
    throw Error(fmt::format("'{}' has {}, but '{}' has {}: they do not fit one table",
                            scenes[0].name, ShapeText(scenes[0]), scene.name, ShapeText(scene)),
                "", "Give exports of one model and of the same layers, or make a report of each.");
  }
}

Section ScenesSection(const std::vector<Scene>& scenes) {
  CheckScenesFit(scenes);
  Section section;
  section.name = "scenes";
  section.title = "All scenes together";
  for (const HeadMetric metric : {HeadMetric::kCrossMass, HeadMetric::kEntropyShare}) {
    const std::string sentence = MostVaried(scenes, metric);
    if (!sentence.empty()) section.findings.push_back(sentence);
  }
  section.tables.push_back(ScenesTable(scenes));
  const BlockKind kind = scenes[0].layers[0]->kind;
  Chart chart;
  chart.name = "scenes";
  chart.title = "Scenes through the layers";
  chart.caption = fmt::format(
      "Means over the heads of each {} layer, a line for each scene; the dashed line is uniform "
      "attention. Where that differs between the scenes, because they have other numbers of "
      "pictures or patches, numbers are multiples of it. {}. Softmax over all keys that a query "
      "attends to, after RoPE.",
      BlockKindName(kind), section.tables[0].sample);
  for (const HeadMetric metric : kScenePanels) {
    chart.panels.emplace_back(ScenePanel(scenes, kind, metric));
  }
  section.charts.push_back(std::move(chart));
  return section;
}

}  // namespace vggt
