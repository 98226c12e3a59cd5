// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/head_labels.h"

namespace vggt {
namespace {

using Layers = std::span<const LayerStatistics* const>;
using Row = std::vector<TableCell>;

// What each number is about, before the tables' own words.
constexpr const char* kDefinition =
    "Softmax over all keys that a query attends to, after RoPE; means over patch queries of all "
    "pictures. Special tokens are keys, not queries.";

ReportTable TableOf(const char* name, const char* title, const std::string& more, Layers layers) {
  ReportTable table;
  table.name = name;
  table.title = title;
  table.definition = std::string(kDefinition) + " " + more;
  if (!layers.empty()) table.sample = SampleText(layers[0]->sample, layers[0]->grid);
  table.columns = {{"block", "", "kind of block: global, frame or encoder"},
                   {"layer", "", "counted from 1"},
                   {"layer_index", "", "counted from 0"}};
  return table;
}

Row RowOf(const LayerStatistics& s) {
  return {std::string(BlockKindName(s.kind)), s.layer_index + 1, s.layer_index};
}

// A column for each metric, whose name ends in `suffix`: the metric itself, or what `before` its
// label and `after` it say of it.
void AddMetricColumns(ReportTable& table, const std::string& suffix = "",
                      const std::string& before = "", const std::string& after = "") {
  for (const HeadMetricInfo& info : HeadMetrics()) {
    std::string text = before;
    text.append(info.label).append(after);
    table.columns.push_back(
        {info.name + suffix, info.unit, suffix.empty() ? info.definition : text});
  }
}

constexpr const char* kMassOfPictures =
    "A mass is what the patches of one picture give to those of another on average; those that one "
    "picture gives, that of special tokens among them, add up to 1.";
constexpr const char* kOfUniform = " of uniform attention over the same keys";

// NumPy's quantile of ascending values; NaN of none.
double QuantileOfSorted(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return std::nan("");
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::vector<double> SortedHeads(const LayerStatistics& s, HeadMetric metric) {
  std::vector<double> values;
  for (int64_t h = 0; h < s.heads; ++h) {
    if (std::isfinite(s.Mean(metric, h))) values.push_back(s.Mean(metric, h));
  }
  std::sort(values.begin(), values.end());
  return values;
}

std::string LabelsText(const std::vector<HeadLabel>& labels) {
  std::string text;
  for (const HeadLabel label : labels) {
    text += (text.empty() ? "" : " ") + std::string(HeadLabels()[static_cast<size_t>(label)].name);
  }
  return text;
}

// The layers of one kind, one behind the other; none if one of them has no such values.
void AddFrameArray(Layers layers, BlockKind kind, std::vector<float> LayerStatistics::*values,
                   const char* text, ReportTable& table, const char* suffix = "") {
  ReportArray array;
  std::string numbers;
  for (const LayerStatistics* s : layers) {
    if (s->kind != kind) continue;
    if ((s->*values).empty()) return;
    if (array.shape.empty()) array.shape = {0, s->heads, s->grid.frames, s->grid.frames + 1};
    ++array.shape[0];
    array.values.insert(array.values.end(), (s->*values).begin(), (s->*values).end());
    numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", s->layer_index + 1);
  }
  if (array.shape.empty()) return;
  array.name = std::string(BlockKindName(kind)) + suffix;
  array.axes = "[layers, heads, pictures, pictures + 1]";
  array.text = fmt::format("{} Layers: {}.", text, numbers);
  table.arrays.push_back(std::move(array));
}

}  // namespace

ReportTable HeadsTable(Layers layers) {
  ReportTable table = TableOf("heads", "Attention heads in numbers",
                              "Labels: see their rules. Each number is of one head.", layers);
  table.columns.push_back({"head", "", "counted from 1"});
  table.columns.push_back({"head_index", "", "counted from 0"});
  AddMetricColumns(table);
  AddMetricColumns(table, "_se", "standard error of ",
                   ", as if the patches were drawn at random, each with its rows of all pictures; "
                   "too small where few patches hold most of it");
  AddMetricColumns(table, "_uniform", "", kOfUniform);
  std::string rules;
  for (const HeadLabelInfo& info : HeadLabels()) {
    rules += fmt::format("{}{}: {}", rules.empty() ? "" : " ", info.name, info.rule);
  }
  table.columns.push_back({"labels", "", rules});
  for (const LayerStatistics* s : layers) {
    const auto labels = LabelHeads(*s);
    for (int64_t h = 0; h < s->heads; ++h) {
      Row row = RowOf(*s);
      row.insert(row.end(), {h + 1, h});
      for (const HeadMetricInfo& info : HeadMetrics()) row.emplace_back(s->Mean(info.metric, h));
      for (const HeadMetricInfo& info : HeadMetrics()) {
        row.emplace_back(s->StandardError(info.metric, h));
      }
      row.insert(row.end(), s->uniform.begin(), s->uniform.end());
      row.emplace_back(LabelsText(labels[static_cast<size_t>(h)]));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ReportTable LayersTable(Layers layers) {
  ReportTable table = TableOf("layers", "Layers in numbers",
                              "Means and percentiles are taken over the heads of a layer.", layers);
  table.columns.push_back({"heads", "", "how many there are"});
  AddMetricColumns(table);
  AddMetricColumns(table, "_p25", "25th percentile of ", " over heads");
  AddMetricColumns(table, "_p75", "75th percentile of ", " over heads");
  AddMetricColumns(table, "_uniform", "", kOfUniform);
  for (const LayerStatistics* s : layers) {
    Row row = RowOf(*s), p25, p75;
    row.emplace_back(s->heads);
    for (const HeadMetricInfo& info : HeadMetrics()) {
      const std::vector<double> values = SortedHeads(*s, info.metric);
      double sum = 0;
      for (const double value : values) sum += value;
      row.emplace_back(sum / static_cast<double>(values.size()));
      p25.emplace_back(QuantileOfSorted(values, 0.25));
      p75.emplace_back(QuantileOfSorted(values, 0.75));
    }
    row.insert(row.end(), p25.begin(), p25.end());
    row.insert(row.end(), p75.begin(), p75.end());
    row.insert(row.end(), s->uniform.begin(), s->uniform.end());
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable FramesTable(Layers layers) {
  ReportTable table = TableOf("frames", "Which pictures look at which", kMassOfPictures, layers);
  table.columns.clear();
  for (const BlockKind kind : kBlockKinds) {
    AddFrameArray(layers, kind, &LayerStatistics::frame_mass,
                  "Mean mass from a picture's patches to each picture's patches; the last column "
                  "is that of special tokens.",
                  table);
  }
  return table;
}

ReportTable PairsTable(Layers layers) {
  ReportTable table = TableOf("pairs", "Pairs of pictures in numbers", kMassOfPictures, layers);
  table.columns.insert(
      table.columns.end(),
      {{"query_picture", "", "whose patches look, counted from 0"},
       {"key_picture", "", "at whose patches they look; empty: at special tokens of all pictures"},
       {"mass", "share", "mean over heads"},
       {"mass_uniform", "share",
        "mass of uniform attention; empty if pictures do not attend to all others"}});
  for (const LayerStatistics* s : layers) {
    if (s->kind != BlockKind::kGlobal) continue;
    const int64_t frames = s->grid.frames, cells = frames * (frames + 1);
    const auto tokens = static_cast<double>(s->grid.tokens());
    // In causal blocks each picture has other keys.
    const double own = s->Uniform(HeadMetric::kOwnMass);
    const bool all = std::abs(own * tokens / static_cast<double>(s->grid.patches()) - 1) < 1e-6;
    for (int64_t cell = 0; cell < cells; ++cell) {
      const int64_t key = cell % (frames + 1);
      double mass = 0;
      for (int64_t h = 0; h < s->heads; ++h) {
        mass += s->frame_mass[static_cast<size_t>(h * cells + cell)];
      }
      const int64_t keys = key < frames ? s->grid.patches() : s->grid.all_specials();
      Row row = RowOf(*s);
      row.emplace_back(cell / (frames + 1));
      if (key < frames) {
        row.emplace_back(key);
      } else {
        row.emplace_back();
      }
      row.emplace_back(mass / static_cast<double>(s->heads));
      row.emplace_back(all ? static_cast<double>(keys) / tokens : std::nan(""));
      table.rows.push_back(std::move(row));
    }
  }
  for (const BlockKind kind : kBlockKinds) {
    AddFrameArray(layers, kind, &LayerStatistics::frame_mass_before_rope,
                  "Mean mass from a picture's patches to each picture's patches of the softmax "
                  "before RoPE, unlike the rows above; the last column is that of special tokens.",
                  table, "_before_rope");
  }
  return table;
}

}  // namespace vggt
