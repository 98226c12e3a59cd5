// SPDX-License-Identifier: Apache-2.0
#include "report/dynamic_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "analysis/dynamic_score.h"
#include "analysis/layer_choice.h"
#include "attention/request.h"

namespace vggt {
namespace {

constexpr size_t kMostDynamicMaps = 12;

std::string DynamicText(const QkDescription& description, const QkBlocks& blocks) {
  const auto layers = [&](DynamicPart part) {
    return LayersText(
        blocks, DynamicLayers(description, blocks, DynamicParts()[static_cast<size_t>(part)]));
  };
  std::string text = fmt::format(
      "Dynamic map as VGGT4D's code (arXiv 2511.19971) has it before clustering and thresholding: "
      "(1 − mean q·q, {}) · (1 − spread of q·q, {}) · (mean q·q, {}) · (1 − mean k·k, {}) · "
      "(spread of q·k, {}). Each factor is of a patch's raw products, after RoPE and without 1/√d, "
      "with all patches of the pictures two, four and six places before and after its own, the "
      "mean over layers, heads and pictures; spread is the standard deviation over patches. Each "
      "factor and the product are scaled to 0 … 1 in each picture. Pictures are taken to be in the "
      "order of time.",
      layers(DynamicPart::kEarlyQueryMean), layers(DynamicPart::kLateQuerySpread),
      layers(DynamicPart::kLateQueryMean), layers(DynamicPart::kFirstKeyMean),
      layers(DynamicPart::kFirstCrossSpread));
  constexpr int64_t kPublishedDepth = 24;
  if (DepthOf(description, blocks) != kPublishedDepth) {
    text += fmt::format(
        " The layers of the published 24 (3–7, 18–19, 17–21 and 0, from 0) are scaled to this "
        "model's {} by their share of the depth.",
        DepthOf(description, blocks));
  }
  return text;
}

class DynamicMaker {
 public:
  explicit DynamicMaker(const SectionInput& input)
      : input_(input),
        description_(input.store.description()),
        blocks_(BlocksOf(description_, BlockKind::kGlobal)),
        text_(DynamicText(description_, blocks_)),
        scores_(ComputeDynamicScores(input.store, input.stop_check)) {
    for (int64_t f = 0; f < scores_.frames; ++f) {
      if (!Map(scores_.score, f).empty()) with_map_.push_back(f);
    }
  }

  Section Make() {
    section_.name = "dynamic";
    section_.title = "What moves";
    AddMaps();
    AddParts();
    AddTable();
    if (!scores_.without_window.empty()) {
      section_.notes.push_back(
          fmt::format("No picture is two, four or six places away from picture {}, so that there "
                      "is no map of it.",
                      fmt::join(scores_.without_window, ", ")));
    }
    if (input_.progress) input_.progress(1);
    return std::move(section_);
  }

 private:
  // [patches]; empty if the frame has none.
  std::vector<float> Map(const std::vector<float>& values, int64_t frame) const {
    const auto begin = values.begin() + frame * scores_.patches;
    if (std::isnan(*begin)) return {};
    return {begin, begin + scores_.patches};
  }

  MapPanel Panel(const std::string& title, std::vector<float> map, int64_t frame, bool bar) const {
    MapPanel panel;
    panel.title = title;
    panel.picture = input_.picture(static_cast<size_t>(frame));
    panel.map = std::move(map);
    panel.colours.colormap = Colormap::kInferno;
    panel.colours.range = {0, 1, false};
    panel.colours.opacity = 0.8;
    panel.unit = "score, scaled in each picture";
    panel.bar = bar;
    return panel;
  }

  void AddMaps() {
    Chart chart;
    chart.name = "dynamic";
    chart.title = "What moves, by VGGT4D's score";
    chart.caption = text_;
    const size_t count = std::min(kMostDynamicMaps, with_map_.size());
    for (size_t i = 0; i < count; ++i) {
      const int64_t frame = with_map_[i * with_map_.size() / count];
      chart.panels.emplace_back(Panel(fmt::format("picture {}", frame), Map(scores_.score, frame),
                                      frame, i + 1 == count));
    }
    section_.charts.push_back(std::move(chart));
  }

  void AddParts() {
    const int64_t frame = with_map_[with_map_.size() / 2];
    Chart chart;
    chart.name = "dynamic_parts";
    chart.title = fmt::format("The five factors for picture {}", frame);
    chart.caption = text_;
    for (const DynamicPartInfo& part : DynamicParts()) {
      std::vector<float> map = Map(scores_.parts[static_cast<size_t>(part.part)], frame);
      if (part.inverted) {
        for (float& value : map) value = 1 - value;
      }
      chart.panels.emplace_back(Panel(part.label, std::move(map), frame, false));
    }
    chart.panels.emplace_back(Panel("their product", Map(scores_.score, frame), frame, true));
    section_.charts.push_back(std::move(chart));
  }

  void AddTable() {
    ReportTable table;
    table.name = "dynamic";
    table.title = "Dynamic maps of pictures";
    table.definition = text_;
    table.sample = fmt::format("all patches of {} pictures", scores_.frames);
    table.columns = {{"picture", "", "from 0"},
                     {"mean_score", "share", "mean over patches of the score"},
                     {"share_above_half", "share", "patches with a score above 0.5"},
                     {"row", "", "grid row of the largest score, from 0"},
                     {"col", "", "grid column of the largest score, from 0"}};
    for (int64_t f = 0; f < scores_.frames; ++f) {
      const std::vector<float> map = Map(scores_.score, f);
      std::vector<TableCell> row = {f};
      if (map.empty()) {
        row.resize(table.columns.size());
      } else {
        double sum = 0;
        for (const float value : map) sum += value;
        const auto above = std::count_if(map.begin(), map.end(), [](float x) { return x > 0.5F; });
        const int64_t most = std::max_element(map.begin(), map.end()) - map.begin();
        const auto patches = static_cast<double>(map.size());
        row.insert(row.end(), {sum / patches, static_cast<double>(above) / patches,
                               most / description_.W_p, most % description_.W_p});
      }
      table.rows.push_back(std::move(row));
    }
    const Shape shape = {scores_.frames, description_.H_p, description_.W_p};
    table.arrays.push_back({"score", "[pictures, rows, columns]",
                            "the score, 0 … 1 in each picture; NaN without a map", shape,
                            scores_.score});
    for (const DynamicPartInfo& part : DynamicParts()) {
      table.arrays.push_back(
          {part.name, "[pictures, rows, columns]",
           fmt::format("{}the factor {}, scaled in each picture",
                       part.inverted ? "not yet subtracted from 1: " : "", part.label),
           shape, scores_.parts[static_cast<size_t>(part.part)]});
    }
    section_.tables.push_back(std::move(table));
    section_.findings.push_back(
        "The score is scaled in each picture, so that something is bright in every one, also in a "
        "scene where nothing moves; it tells where, not whether.");
  }

  const SectionInput& input_;
  const QkDescription& description_;
  const QkBlocks& blocks_;
  const std::string text_;
  const DynamicScores scores_;
  std::vector<int64_t> with_map_;
  Section section_;
};

}  // namespace

Section DynamicSection(const SectionInput& input) { return DynamicMaker(input).Make(); }

}  // namespace vggt
