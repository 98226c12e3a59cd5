// SPDX-License-Identifier: Apache-2.0
#include "report/query_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/stored_rows.h"
#include "attention/attention_rows.h"
#include "figure/frame_geometry.h"
#include "ops/quantile.h"
#include "report/chart_axis.h"
#include "report/presets.h"

namespace vggt {
namespace {

constexpr size_t kMostLayers = 8, kMostHeads = 8, kMostPictures = 6;
constexpr double kScaleShare = 0.99;

// Some of [0, count), evenly spaced, the first and the last among them.
std::vector<size_t> EvenlySpaced(size_t count, size_t most) {
  std::vector<size_t> chosen;
  const size_t taken = std::min(count, most);
  for (size_t i = 0; i < taken; ++i) {
    chosen.push_back(taken == 1 ? 0 : (i * (count - 1) + (taken - 1) / 2) / (taken - 1));
  }
  return chosen;
}

// Brightness of the pixels that a patch shows: how much it varies. Negative if it shows none.
double ContrastOf(const Picture& picture, const Box& part, double scale) {
  const auto clamp = [](double at, int size) {
    return std::clamp(static_cast<int>(std::lround(at)), 0, size);
  };
  const int left = clamp(part.x * scale, picture.width);
  const int right = clamp(part.right() * scale, picture.width);
  const int top = clamp(part.y * scale, picture.height);
  const int bottom = clamp(part.bottom() * scale, picture.height);
  double sum = 0, squares = 0, count = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const uint8_t* rgb = picture.rgb.data() + size_t{3} * (size_t{1} * y * picture.width + x);
      const double level = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
      sum += level, squares += level * level, count += 1;
    }
  }
  if (count == 0) return -1;
  return std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
}

// Maps of one query: [rows, pictures, patches], where rows are layers or heads.
struct QueryMaps {
  std::vector<std::string> row_names;
  std::vector<std::vector<std::vector<float>>> maps;
};

QueryMaps MapsOf(const AttentionAnswer& answer, bool layers, const std::vector<size_t>& pictures,
                 double factor) {
  QueryMaps made;
  const int64_t rows = answer.shape[layers ? 0 : 1];
  for (int64_t row = 0; row < rows; ++row) {
    auto& maps = made.maps.emplace_back();
    for (size_t i = 0; i < pictures.size(); ++i) {
      const auto patches =
          answer.Patches(layers ? row : 0, layers ? 0 : row, static_cast<int64_t>(i));
      auto& map = maps.emplace_back(patches.begin(), patches.end());
      for (float& value : map) value = static_cast<float>(value * factor);
    }
  }
  return made;
}

// What the values of maps are, in a table of them.
struct MapValues {
  std::string definition, unit;
  TableColumn total;        // the column that sums up a map
  double total_factor = 1;  // of the sum of a map's values
};

double ScaleEnd(const std::vector<std::vector<std::vector<float>>>& maps, size_t first, size_t last,
                double q) {
  std::vector<float> all;
  for (size_t row = first; row < last; ++row) {
    for (const auto& map : maps[row]) {
      std::ranges::copy_if(map, std::back_inserter(all), [](float v) { return !std::isnan(v); });
    }
  }
  if (all.empty()) return 1;
  const auto count = static_cast<int64_t>(all.size());
  return Quantile({all.data(), 1, count, count}, q);
}

class QueryFigures {
 public:
  explicit QueryFigures(const SectionInput& input)
      : input_(input),
        rows_(input.source.store->file, input.source.root),
        blocks_(input.store.description().blocks.front()),
        grid_(input.store.description().token_grid(blocks_)),
        query_(blocks_.attends == Attends::kCausal ? static_cast<size_t>(grid_.frames) - 1 : 0),
        pictures_(
            EvenlySpaced(blocks_.attends == Attends::kFrame ? 1 : static_cast<size_t>(grid_.frames),
                         kMostPictures)) {
    for (const size_t frame : pictures_) drawn_.push_back(input.picture(frame));
    patch_ = ChooseQueryPatch(OfQuery());
  }

  Section Make();

 private:
  AttentionRequest Request() const;
  // The mean over heads of every layer. A layer at a time, so that only one is in memory.
  AttentionAnswer MeansOfLayers(AttentionRequest request) const;
  const ChartPicture& OfQuery() const { return query_ == 0 ? drawn_.front() : drawn_.back(); }
  // [layers]: the largest probability of a patch in another picture, of the head that has it.
  void ChooseLayer(const AttentionAnswer& all);
  void AddLayers(Section& section);
  void AddPreset(Section& section, const ReportPreset& preset);
  void AddHeads(Section& section);
  Chart ChartOf(const QueryMaps& maps, const std::string& name, const std::string& title,
                const std::string& unit, const std::vector<ColourRange>& ranges,
                Colormap colormap) const;
  // Names of rows are numbers.
  void AddRows(Section& section, const QueryMaps& maps, const std::string& name, bool layers,
               const MapValues& values) const;
  MapValues UniformValues(bool layers) const;
  // Where the largest value lies in each picture but the query's own, of one row of maps; `what` is
  // the end of the sentence, of a value.
  void AddPeaks(Section& section, const QueryMaps& maps, size_t row,
                const std::function<std::string(double)>& what) const;
  std::string Place() const;
  int64_t Keys() const;

  const SectionInput& input_;
  const AttentionRows rows_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  // The picture of the query: one that sees all others, if any does; the first or the last of
  // pictures_.
  const size_t query_;
  const std::vector<size_t> pictures_;
  std::vector<ChartPicture> drawn_;
  QueryPatch patch_;
  ReportTable table_;
  size_t sharpest_ = 0;  // a place among the layers
};

std::string QueryFigures::Place() const {
  return fmt::format("the patch in row {}, column {} of picture {} (counted from 0)", patch_.row,
                     patch_.col, query_);
}

// How many keys the query attends to.
int64_t QueryFigures::Keys() const {
  return blocks_.attends == Attends::kFrame ? grid_.tokens_per_frame() : grid_.tokens();
}

AttentionRequest QueryFigures::Request() const {
  AttentionRequest request;
  request.kind = blocks_.kind;
  request.frame = static_cast<int64_t>(query_);
  request.tokens = {grid_.special_tokens + patch_.row * grid_.width + patch_.col};
  for (const size_t frame : pictures_) request.frames.push_back(static_cast<int>(frame));
  return request;
}

AttentionAnswer QueryFigures::MeansOfLayers(AttentionRequest request) const {
  request.reduction = HeadReduction::kMean;
  AttentionAnswer all;
  const size_t layers = blocks_.layers.size();
  for (size_t layer = 0; layer < layers; ++layer) {
    request.layers = {layer};
    const AttentionAnswer one = rows_.Answer(request, input_.stop_check);
    if (layer == 0) {
      all.shape = one.shape;
      all.shape[0] = static_cast<int64_t>(layers);
      all.special_tokens = one.special_tokens;
      all.values = FloatBuffer(layers * one.values.size());
    }
    std::copy_n(one.values.data(), one.values.size(),
                all.values.data() + layer * one.values.size());
    all.dropped.insert(all.dropped.end(), one.dropped.begin(), one.dropped.end());
    ReleaseLayer(rows_.store(), rows_.store().description().blocks.front(), layer);
  }
  return all;
}

Chart QueryFigures::ChartOf(const QueryMaps& maps, const std::string& name,
                            const std::string& title, const std::string& unit,
                            const std::vector<ColourRange>& ranges, Colormap colormap) const {
  Chart chart;
  chart.name = name;
  chart.title = title;
  chart.columns = static_cast<int>(pictures_.size());
  // A single picture would fill the page.
  if (pictures_.size() < 3) chart.width = 85;
  chart.row_names = maps.row_names;
  for (size_t row = 0; row < maps.maps.size(); ++row) {
    for (size_t i = 0; i < pictures_.size(); ++i) {
      MapPanel panel;
      if (row == 0) panel.title = fmt::format("picture {}", pictures_[i]);
      panel.picture = drawn_[i];
      panel.map = maps.maps[row][i];
      panel.colours.colormap = colormap;
      panel.colours.range = ranges[row];
      panel.colours.opacity = kMapOpacity;
      panel.shade = kMapShade;
      panel.unit = unit;
      panel.bar = true;
      if (pictures_[i] == query_) {
        panel.marks.push_back(
            {static_cast<double>(patch_.col) + 0.5, static_cast<double>(patch_.row) + 0.5, 2, ""});
      }
      chart.panels.emplace_back(std::move(panel));
    }
  }
  return chart;
}

MapValues QueryFigures::UniformValues(bool layers) const {
  return {
      "Softmax over all keys, after RoPE, as multiples of uniform attention (probability × "
      "number of keys)" +
          std::string(layers ? "; the mean over heads." : "."),
      "× uniform",
      {"mass", "share", "probability of all patches of the picture"},
      1 / static_cast<double>(Keys())};
}

void QueryFigures::AddRows(Section& section, const QueryMaps& maps, const std::string& name,
                           bool layers, const MapValues& values) const {
  ReportTable table;
  table.name = name;
  table.title = layers ? "Where the patch looks, layer by layer" : "Where the patch looks, by head";
  table.definition = values.definition;
  table.sample = Place();
  table.columns = {{"row", "", layers ? "layer, counted from 1" : "head, counted from 1"},
                   {"picture", "", "counted from 0"},
                   values.total,
                   {"largest", values.unit, "the largest value"},
                   {"largest_row", "", "grid row of the patch that has it, from 0"},
                   {"largest_col", "", "grid column of that patch, from 0"}};
  ReportArray array;
  array.name = "maps";
  array.axes = layers ? "[layers, pictures, rows, columns]" : "[heads, pictures, rows, columns]";
  array.text = fmt::format("The values, {}.", values.unit);
  array.shape = {static_cast<int64_t>(maps.maps.size()), static_cast<int64_t>(pictures_.size()),
                 grid_.height, grid_.width};
  for (size_t row = 0; row < maps.maps.size(); ++row) {
    for (size_t i = 0; i < pictures_.size(); ++i) {
      const std::vector<float>& map = maps.maps[row][i];
      const auto largest = std::ranges::max_element(map);
      const int64_t at = largest - map.begin();
      double sum = 0;
      for (const float value : map) sum += value;
      table.rows.push_back({maps.row_names[row], static_cast<int64_t>(pictures_[i]),
                            sum * values.total_factor, static_cast<double>(*largest),
                            at / grid_.width, at % grid_.width});
      array.values.insert(array.values.end(), map.begin(), map.end());
    }
  }
  table.arrays.push_back(std::move(array));
  section.tables.push_back(std::move(table));
}

void QueryFigures::ChooseLayer(const AttentionAnswer& all) {
  float most = -INFINITY;
  for (int64_t layer = 0; layer < all.shape[0]; ++layer) {
    for (size_t i = 0; i < pictures_.size(); ++i) {
      if (pictures_[i] == query_ && pictures_.size() > 1) continue;
      const float peak = std::ranges::max(all.Patches(layer, 0, static_cast<int64_t>(i)));
      if (peak > most) most = peak, sharpest_ = static_cast<size_t>(layer);
    }
  }
}

void QueryFigures::AddLayers(Section& section) {
  const AttentionAnswer all = MeansOfLayers(Request());
  ChooseLayer(all);
  const auto uniform = static_cast<double>(Keys());
  QueryMaps every = MapsOf(all, true, pictures_, uniform);
  for (const QkLayer& layer : blocks_.layers) {
    every.row_names.push_back(std::to_string(layer.index + 1));
  }
  AddRows(section, every, "query_layers", true, UniformValues(true));
  QueryMaps shown;
  for (const size_t row : EvenlySpaced(every.maps.size(), kMostLayers)) {
    shown.row_names.push_back("layer " + every.row_names[row]);
    shown.maps.push_back(every.maps[row]);
  }
  const double end = ScaleEnd(shown.maps, 0, shown.maps.size(), kScaleShare);
  const std::vector<ColourRange> ranges(shown.maps.size(), {0, end});
  Chart chart = ChartOf(shown, "query_layers", "Where a patch looks, layer by layer",
                        "times uniform attention", ranges, Colormap::kInferno);
  chart.caption = fmt::format(
      "Attention of {} (ring) in {} blocks, the mean over {} heads after the softmax over all {} "
      "keys, after RoPE. One scale for all maps, in units of uniform attention (probability × "
      "number of keys); it ends at the 99th percentile of the values shown, {}.",
      Place(), BlockKindName(blocks_.kind), blocks_.heads, Keys(), ShortNumber(end));
  section.charts.push_back(std::move(chart));
  AddPeaks(section, every, sharpest_, [](double peak) {
    return fmt::format("{} times as much as uniform attention would", ShortNumber(peak));
  });
}

void QueryFigures::AddPeaks(Section& section, const QueryMaps& maps, size_t row,
                            const std::function<std::string(double)>& what) const {
  for (size_t i = 0; i < pictures_.size(); ++i) {
    if (pictures_[i] == query_ && pictures_.size() > 1) continue;
    const std::vector<float>& map = maps.maps[row][i];
    const auto peak = std::ranges::max_element(map);
    const int64_t at = peak - map.begin();
    section.findings.push_back(fmt::format(
        "In {} layer {} the patch looks at row {}, column {} of picture {} more than anywhere else "
        "there: {}.",
        BlockKindName(blocks_.kind), maps.row_names[row], at / grid_.width, at % grid_.width,
        pictures_[i], what(*peak)));
  }
}

void QueryFigures::AddPreset(Section& section, const ReportPreset& preset) {
  const bool seed = std::string_view(preset.name) == "seed";
  AttentionRequest request = Request();
  request.definition = seed ? Definition::kPatches : Definition::kLogits;
  const AttentionAnswer answer = MeansOfLayers(request);
  ChooseLayer(answer);
  QueryMaps every = MapsOf(answer, true, pictures_, 1);
  for (const QkLayer& layer : blocks_.layers) {
    every.row_names.push_back(std::to_string(layer.index + 1));
  }
  const std::string name = fmt::format("query_{}", preset.name);
  const auto patches = static_cast<double>(grid_.patches());
  AddRows(section, every, name, true,
          seed
              ? MapValues{"Softmax over the patches that the query attends to, after RoPE, without "
                          "special tokens; the mean over heads.",
                          "share",
                          {"mass", "share", "of all patches of the picture"},
                          1}
              : MapValues{"Logits q·k/√d, after RoPE, without softmax; the mean over heads.",
                          "logit",
                          {"mean", "logit", "over the patches of the picture"},
                          1 / patches});
  AddPeaks(section, every, sharpest_, [&](double peak) {
    return seed ? PercentText(peak) + " of what all patches get"
                : fmt::format("a logit of {}", ShortNumber(peak));
  });
  QueryMaps maps;
  std::vector<ColourRange> ranges;
  for (const size_t row : EvenlySpaced(every.maps.size(), kMostLayers)) {
    maps.row_names.push_back("layer " + every.row_names[row]);
    maps.maps.push_back(every.maps[row]);
    ranges.push_back({seed ? 0 : ScaleEnd(every.maps, row, row + 1, 0),
                      ScaleEnd(every.maps, row, row + 1, seed ? kScaleShare : 1)});
  }
  Chart chart = ChartOf(maps, name, fmt::format("Where a patch looks, as by {}", preset.source),
                        seed ? "share of the patches' mass" : "logit", ranges, Colormap::kJet);
  chart.caption = fmt::format("Attention of {} (ring) by the definition of {}: {}", Place(),
                              preset.source, preset.text);
  section.charts.push_back(std::move(chart));
}

void QueryFigures::AddHeads(Section& section) {
  AttentionRequest request = Request();
  request.layers = {sharpest_};
  const AttentionAnswer answer = rows_.Answer(request, input_.stop_check);
  const auto uniform = static_cast<double>(Keys());
  QueryMaps every = MapsOf(answer, false, pictures_, uniform);
  std::vector<std::pair<float, size_t>> peaks;  // negative, so that the largest come first
  for (size_t head = 0; head < every.maps.size(); ++head) {
    every.row_names.push_back(std::to_string(head + 1));
    float peak = 0;
    for (size_t i = 0; i < pictures_.size(); ++i) {
      if (pictures_[i] == query_ && pictures_.size() > 1) continue;
      peak = std::max(peak, std::ranges::max(every.maps[head][i]));
    }
    peaks.emplace_back(-peak, head);
  }
  AddRows(section, every, "query_heads", false, UniformValues(false));
  std::ranges::sort(peaks);
  peaks.resize(std::min(peaks.size(), kMostHeads));
  std::ranges::sort(peaks, {}, [](const auto& peak) { return peak.second; });
  QueryMaps shown;
  for (const auto& [peak, head] : peaks) {
    shown.row_names.push_back("head " + every.row_names[head]);
    shown.maps.push_back(every.maps[head]);
  }
  const double end = ScaleEnd(shown.maps, 0, shown.maps.size(), kScaleShare);
  const std::vector<ColourRange> ranges(shown.maps.size(), {0, end});
  const int64_t layer = blocks_.layers[sharpest_].index + 1;
  Chart chart = ChartOf(shown, "query_heads",
                        fmt::format("Where a patch looks, head by head, layer {}", layer),
                        "times uniform attention", ranges, Colormap::kInferno);
  const bool all = peaks.size() == every.maps.size();
  chart.caption = fmt::format(
      "Attention of {} (ring) in {} layer {}, whose mean over heads has the largest probability of "
      "a patch in another picture; {}. Softmax over all {} keys, after RoPE. One scale for all "
      "maps, in units of uniform attention; it ends at the 99th percentile of the values shown, "
      "{}.",
      Place(), BlockKindName(blocks_.kind), layer,
      all ? "all heads"
          : fmt::format("the {} heads with the largest such probability", peaks.size()),
      Keys(), ShortNumber(end));
  section.charts.push_back(std::move(chart));
}

Section QueryFigures::Make() {
  Section section;
  section.name = "query";
  section.title = "Where one patch looks";
  section.notes.push_back(
      OfQuery().picture.pixels
          ? fmt::format("The patch is the one in the middle half of picture {} whose brightness "
                        "varies most.",
                        query_)
          : fmt::format("The patch is the middle one of picture {}, which cannot be read.",
                        query_));
  if (pictures_.size() < static_cast<size_t>(grid_.frames)) {
    section.notes.push_back(
        fmt::format("{} of {} pictures are shown, evenly spaced.", pictures_.size(), grid_.frames));
  }
  const ReportPreset* preset = FindReportPreset(input_.preset);
  if (preset != nullptr && std::string_view(preset->section) == "query") {
    AddPreset(section, *preset);
  } else {
    AddLayers(section);
    AddHeads(section);
  }
  return section;
}

}  // namespace

QueryPatch ChooseQueryPatch(const ChartPicture& picture) {
  const TokenGrid& grid = picture.grid;
  QueryPatch best = {grid.height / 2, grid.width / 2};
  if (!picture.picture.pixels) return best;
  const Picture& pixels = *picture.picture.pixels;
  FigureFrame frame;
  if (picture.transform.original_width > 0) frame.transform = picture.transform;
  frame.width = pixels.width, frame.height = pixels.height;
  frame.grid = {grid.height, grid.width, grid.height, grid.width, 1, 1};
  const FrameGeometry geometry(frame);
  const double scale = pixels.width / geometry.width();
  double most = -1, nearest = 0;
  for (int64_t row = grid.height / 4; row < grid.height - grid.height / 4; ++row) {
    for (int64_t col = grid.width / 4; col < grid.width - grid.width / 4; ++col) {
      const auto part = geometry.Cells(row, col, row, col);
      if (!part) continue;
      const double contrast = ContrastOf(pixels, *part, scale);
      const double distance = std::hypot(static_cast<double>(row) + 0.5 - grid.height / 2.0,
                                         static_cast<double>(col) + 0.5 - grid.width / 2.0);
      if (contrast > most || (contrast == most && distance < nearest)) {
        most = contrast, nearest = distance;
        best = {row, col};
      }
    }
  }
  return best;
}

Section QuerySection(const SectionInput& input) { return QueryFigures(input).Make(); }

}  // namespace vggt
