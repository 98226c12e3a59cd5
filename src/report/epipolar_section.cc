// SPDX-License-Identifier: Apache-2.0
#include "report/epipolar_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "analysis/epipolar.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

constexpr size_t kMarkedHeads = 10;

constexpr const char* kEpipolarDefinition =
    "What patch i of picture a shows lies in picture b on the line F x_i, with F = K_bᵀ⁻¹ [t]ₓ R "
    "K_a⁻¹ of the cameras. Its band are the patches of b whose centres lie within one cell of the "
    "line; rows whose line misses b do not count. A row's mass is its softmax over the patches of "
    "b alone, after RoPE; its answer the patch with the largest logit. Without preference mass "
    "and answers come to the band's share of b's patches.";

constexpr const char* kPoseDefinition =
    "From answers alone: of the answers of a pair of pictures that answer the patch that asked, F "
    "by RANSAC (eight points, normalised; Sampson error of at most one cell), then E = K_bᵀ F K_a, "
    "and of its four poses the one with the most points before both cameras. Points of one plane "
    "leave F open.";

std::string EpipolarHeadText(const EpipolarBoard& board, size_t place) {
  const auto heads = static_cast<size_t>(board.heads);
  return fmt::format("head {} of layer {}", place % heads + 1, board.layers[place / heads] + 1);
}

HeatPanel EpipolarHeat(const EpipolarBoard& board, EpipolarMetric metric,
                       std::optional<double> most, const std::vector<size_t>& marked) {
  const EpipolarMetricInfo& info = EpipolarMetrics()[static_cast<size_t>(metric)];
  HeatPanel panel;
  panel.title = info.label;
  panel.x_label = "head";
  panel.y_label = "layer";
  panel.unit = info.unit;
  panel.rows = std::ssize(board.layers);
  panel.cols = board.heads;
  float largest = 0;
  for (const EpipolarScores& scores : board.scores) {
    panel.values.push_back(static_cast<float>(scores.value.of(metric)));
    if (std::isfinite(panel.values.back())) largest = std::max(largest, panel.values.back());
  }
  panel.range = ColourRange{0,
                            most          ? *most
                            : largest > 0 ? static_cast<double>(largest)
                                          : 1.0,
                            false};
  for (const int64_t layer : board.layers) panel.row_names.push_back(std::to_string(layer + 1));
  for (int64_t head = 1; head <= board.heads; ++head) {
    panel.col_names.push_back(std::to_string(head));
  }
  for (const size_t place : marked) {
    panel.marked.emplace_back(place / static_cast<size_t>(board.heads),
                              place % static_cast<size_t>(board.heads));
  }
  return panel;
}

double LargestOfLayer(const EpipolarBoard& board, size_t layer, EpipolarMetric metric) {
  double most = std::numeric_limits<double>::quiet_NaN();
  for (int64_t head = 0; head < board.heads; ++head) {
    most = std::fmax(most, board.At(layer, head).value.of(metric));
  }
  return most;
}

double MeanOfLayer(const EpipolarBoard& board, size_t layer, EpipolarMetric metric) {
  double sum = 0;
  for (int64_t head = 0; head < board.heads; ++head) {
    sum += board.At(layer, head).value.of(metric);
  }
  return sum / static_cast<double>(board.heads);
}

LinePanel MassCurves(const EpipolarBoard& board) {
  ChartSeries best{.label = "best head", .colour = 0, .points = true};
  ChartSeries mean{.label = "mean of the heads", .colour = 2};
  ChartSeries area{.label = "the band's area", .colour = 6, .dashed = true};
  for (size_t layer = 0; layer < board.layers.size(); ++layer) {
    best.y.push_back(LargestOfLayer(board, layer, EpipolarMetric::kMass));
    mean.y.push_back(MeanOfLayer(board, layer, EpipolarMetric::kMass));
    area.y.push_back(board.area);
    for (ChartSeries* series : {&best, &mean, &area}) {
      series->x.push_back(static_cast<double>(board.layers[layer] + 1));
    }
  }
  LinePanel panel;
  panel.title = "By layer";
  panel.x_label = "global layer";
  panel.y_label = "mass in the band (share)";
  panel.series = {best, mean, area};
  panel.y_low = 0;
  return panel;
}

LinePanel SightCurves(const EpipolarBoard& board) {
  ChartSeries visible{.label = "visible", .colour = 0, .points = true};
  ChartSeries hidden{.label = "hidden", .colour = 1, .points = true};
  ChartSeries visible_area{.label = "area, visible", .colour = 0, .dashed = true};
  ChartSeries hidden_area{.label = "area, hidden", .colour = 1, .dashed = true};
  for (size_t layer = 0; layer < board.layers.size(); ++layer) {
    visible.y.push_back(MeanOfLayer(board, layer, EpipolarMetric::kMassVisible));
    hidden.y.push_back(MeanOfLayer(board, layer, EpipolarMetric::kMassHidden));
    visible_area.y.push_back(board.area_visible);
    hidden_area.y.push_back(board.area_hidden);
    for (ChartSeries* series : {&visible, &hidden, &visible_area, &hidden_area}) {
      series->x.push_back(static_cast<double>(board.layers[layer] + 1));
    }
  }
  LinePanel panel;
  panel.title = "Visible and hidden patches";
  panel.x_label = "global layer";
  panel.y_label = "mass in the band (share)";
  panel.series = {visible, visible_area};
  if (board.rows_hidden > 0) panel.series = {visible, hidden, visible_area, hidden_area};
  panel.y_low = 0;
  return panel;
}

std::vector<std::string> EpipolarFindings(const EpipolarBoard& board,
                                          const std::vector<size_t>& order) {
  std::vector<std::string> out;
  const EpipolarNumbers& first = board.scores[order[0]].value;
  out.push_back(fmt::format(
      "Against {}, {} has the most mass along epipolar lines: {:.1f} ± {:.1f} % where the band's "
      "area "
      "is "
      "{:.1f} % ({:.1f} times as much). Its median Sampson error is {:.1f} pixels of the frame.",
      board.text, EpipolarHeadText(board, order[0]), 100 * first.of(EpipolarMetric::kMass),
      100 * board.scores[order[0]].mass_error, 100 * board.area,
      first.of(EpipolarMetric::kMass) / board.area, first.of(EpipolarMetric::kSampson)));
  if (board.rows_hidden > 0 && board.rows_visible > 0) {
    out.push_back(fmt::format(
        "For patches that the other picture shows it is {} (area {}), for those that something "
        "hides there {} (area {}).",
        PercentText(first.of(EpipolarMetric::kMassVisible)), PercentText(board.area_visible),
        PercentText(first.of(EpipolarMetric::kMassHidden)), PercentText(board.area_hidden)));
  }
  const auto error_of = [&](size_t place) {
    const EpipolarNumbers& value = board.scores[place].value;
    return value.of(EpipolarMetric::kRotation) + value.of(EpipolarMetric::kTranslation);
  };
  const auto best = std::min_element(order.begin(), order.end(),
                                     [&](size_t a, size_t b) { return error_of(a) < error_of(b); });
  if (std::isfinite(error_of(*best)) && error_of(*best) < 360) {
    const EpipolarNumbers& value = board.scores[*best].value;
    out.push_back(fmt::format(
        "The cameras that follow from answers alone are nearest for {}: off by {:.1f}° in rotation "
        "and {:.1f}° in the direction of the translation (medians of {} pairs of pictures).",
        EpipolarHeadText(board, *best), value.of(EpipolarMetric::kRotation),
        value.of(EpipolarMetric::kTranslation), board.estimated.size()));
  }
  return out;
}

// One row a head.
ReportTable EpipolarTable(const EpipolarBoard& board, const std::vector<size_t>& order,
                          const std::string& name) {
  ReportTable table;
  table.name = name;
  table.title = "Each head against epipolar lines";
  table.definition =
      fmt::format("{} {} Against {}.", kEpipolarDefinition, kPoseDefinition, board.text);
  table.sample = board.sample;
  table.columns = HeadColumns();
  for (const EpipolarMetricInfo& info : EpipolarMetrics()) {
    table.columns.push_back({info.name, info.unit, info.definition});
  }
  table.columns.push_back({"epipolar_mass_se", "share", "standard error of epipolar_mass"});
  table.columns.push_back({"area", "share", "the bands' mean share of the patches"});
  table.columns.push_back({"area_visible", "share", "the same over visible patches"});
  table.columns.push_back({"area_hidden", "share", "the same over hidden patches"});
  table.columns.push_back({"rank", "", "by epipolar_mass, from 1"});
  std::vector<int64_t> rank(board.scores.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<int64_t>(i) + 1;
  const auto heads = static_cast<size_t>(board.heads);
  for (size_t place = 0; place < board.scores.size(); ++place) {
    const EpipolarScores& scores = board.scores[place];
    std::vector<TableCell> row =
        HeadCells(board.layers[place / heads], static_cast<int64_t>(place % heads));
    row.insert(row.end(), scores.value.begin(), scores.value.end());
    row.insert(row.end(),
               {scores.mass_error, board.area, board.area_visible, board.area_hidden, rank[place]});
    table.rows.push_back(std::move(row));
  }
  return table;
}

// One row an ordered pair of pictures.
ReportTable EpipolarPairsTable(const EpipolarBoard& board, size_t best, const std::string& name) {
  ReportTable table;
  table.name = name;
  table.title = "The same for each ordered pair of pictures";
  table.definition = fmt::format("{} Against {}.", kEpipolarDefinition, board.text);
  table.sample = board.sample;
  table.columns = {
      {"frame_a", "", "the picture that asks, from 0"},
      {"frame_b", "", "the picture that is asked about, from 0"},
      {"rows", "", "how many count"},
      {"area", "share", "the bands' mean share of the patches"},
      {"best_mass", "share",
       fmt::format("epipolar_mass of {}, the best over all pairs", EpipolarHeadText(board, best))}};
  for (size_t p = 0; p < board.pairs.size(); ++p) {
    const EpipolarPair& pair = board.pairs[p];
    table.rows.push_back(
        {pair.frame_a, pair.frame_b, pair.rows, pair.area, board.scores[best].pair_mass[p]});
  }
  ReportArray array{"epipolar_mass",
                    "[layers, heads, pairs]",
                    "of each head for each pair, in the order of the rows",
                    {std::ssize(board.layers), board.heads, std::ssize(board.pairs)},
                    {}};
  for (const EpipolarScores& scores : board.scores) {
    for (const double mass : scores.pair_mass) array.values.push_back(static_cast<float>(mass));
  }
  table.arrays.push_back(std::move(array));
  return table;
}

// Adds what one geometry gives; `suffix` tells it from the other: "" or "_own".
void AddBoard(const EpipolarBoard& board, const std::string& suffix, Section& section) {
  section.notes.insert(section.notes.end(), board.notes.begin(), board.notes.end());
  if (board.pairs.empty()) {
    section.notes.push_back(fmt::format(
        "Against {} there is no pair of pictures with epipolar lines to hold attention against.",
        board.text));
    return;
  }
  const std::vector<size_t> order = MostEpipolarHeads(board, board.scores.size());
  const std::vector<size_t> marked(
      order.begin(),
      order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), kMarkedHeads)));
  for (std::string& finding : EpipolarFindings(board, order)) {
    section.findings.push_back(std::move(finding));
  }
  Chart mass;
  mass.name = "epipolar" + suffix;
  mass.title = "How much attention lies along epipolar lines: " + board.text;
  mass.caption =
      fmt::format("{} Framed: the {} heads with the most mass in the band. Against {}; {}.",
                  kEpipolarDefinition, marked.size(), board.text, board.sample);
  mass.columns = 2;
  mass.panels = {EpipolarHeat(board, EpipolarMetric::kMass, {}, marked),
                 EpipolarHeat(board, EpipolarMetric::kSampson, {}, marked), MassCurves(board)};
  if (board.rows_visible > 0) mass.panels.emplace_back(SightCurves(board));
  section.charts.push_back(std::move(mass));

  Chart pose;
  pose.name = "epipolar_pose" + suffix;
  pose.title = "Cameras from answers alone: " + board.text;
  pose.caption = fmt::format(
      "{} Framed as before. Medians, and of inliers the mean, of {} pairs of "
      "pictures. Against {}.",
      kPoseDefinition, board.estimated.size(), board.text);
  pose.panels = {EpipolarHeat(board, EpipolarMetric::kInliers, 1, marked),
                 EpipolarHeat(board, EpipolarMetric::kRotation, 180, marked),
                 EpipolarHeat(board, EpipolarMetric::kTranslation, 180, marked)};
  section.charts.push_back(std::move(pose));
  section.tables.push_back(EpipolarTable(board, order, "epipolar" + suffix));
  section.tables.push_back(EpipolarPairsTable(board, order[0], "epipolar_pairs" + suffix));
}

}  // namespace

Section EpipolarSection(const SectionInput& input) {
  Section section;
  section.name = "epipolar";
  section.title = "Whether attention follows epipolar lines";
  if (input.geometry == nullptr) {
    section.notes.push_back(
        "Whether attention follows epipolar lines is not told: that needs cameras. Give "
        "`geometry`, "
        "or an export that has its own.");
    return section;
  }
  const double share = input.own_geometry == nullptr ? 1 : 0.5;
  const auto score = [&](const SceneGeometry& geometry, double before) {
    return ScoreEpipolar(input.store, geometry, input.rows, input.seed, input.stop_check,
                         [&](double done) {
                           if (input.progress) input.progress(before + share * done);
                         });
  };
  AddBoard(score(*input.geometry, 0), "", section);
  if (input.own_geometry != nullptr) AddBoard(score(*input.own_geometry, share), "_own", section);
  return section;
}

}  // namespace vggt
