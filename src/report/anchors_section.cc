// SPDX-License-Identifier: Apache-2.0
#include "report/anchors_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "analysis/anchor_scores.h"
#include "analysis/layer_choice.h"
#include "analysis/row_budget.h"
#include "analysis/statistics_cache.h"
#include "analysis/stored_rows.h"

namespace vggt {
namespace {

constexpr size_t kAnchorLayers = 6;
constexpr int64_t kAnchorMaps = 3;
constexpr double kAnchorShares[] = {0.05, 0.1, 0.2, 0.3};

constexpr const char* kAnchorText =
    "Definitions of a public study of register-mediated paths in VGGT-Omega; all after RoPE, means "
    "over heads. Direct mass of a patch: mean over patch queries of its probability in the softmax "
    "over all keys, where queries of its own picture count 0. Register score: Σ over its picture's "
    "registers of (what the register gets from registers of other pictures, softmax over registers "
    "alone) · (what it gives to the patch, softmax over its own picture's patches alone). Local "
    "mass: what a patch gets in the softmax over its own picture's patches alone. Registers are "
    "all special tokens but the first. Kept mass: share of the direct mass that lies on the "
    "anchors. Oracle: the patches with most direct mass; the others give each picture one anchor, "
    "and share out the rest by the pictures' scores (register choices, one tenth equally) or "
    "equally; registers + own picture: register score + 0.2 · local mass, each divided by its sum "
    "in the picture.";

struct AnchorLayer {
  size_t layer;
  AnchorScores scores;
};

class AnchorsMaker {
 public:
  explicit AnchorsMaker(const SectionInput& input)
      : input_(input),
        blocks_(GlobalBlocksOfSeveral(input.store, "a choice of anchors")),
        grid_(input.store.description().token_grid(blocks_)) {
    if (!input.rows) {
      sample_ = RowsWithin(input.store.description(), kUsualProducts);
    } else {
      sample_ = *input.rows == 0 ? AllRows(grid_) : SampledRows(grid_, *input.rows);
    }
    const std::vector<size_t> layers = EvenLayers(blocks_, kAnchorLayers);
    for (const size_t layer : layers) {
      layers_.push_back(
          {layer, ComputeAnchorScores(input.store, layer, sample_, input.stop_check)});
      if (input.progress) {
        input.progress(static_cast<double>(layers_.size()) / static_cast<double>(layers.size()));
      }
    }
  }

  Section Make() {
    section_.name = "anchors";
    section_.title = "Anchors and registers";
    AddKeptMass();
    AddLayers();
    AddMaps();
    if (layers_.front().scores.register_score.empty()) {
      section_.notes.emplace_back(
          "There are no special tokens, so that nothing goes through registers.");
    }
    return std::move(section_);
  }

 private:
  bool HasChoice(AnchorChoice choice) const {
    const bool through =
        choice == AnchorChoice::kRegisters || choice == AnchorChoice::kRegistersAndLocal;
    return !through || !layers_.front().scores.register_score.empty();
  }

  std::string SampleOf() const { return SampleText(sample_, grid_); }

  // The oracle knows the rows that measure it. If these are all, that is its meaning.
  std::string OracleText() const {
    if (sample_.all) return "";
    return " The oracle is chosen by the same sampled rows that measure it, so that it keeps less "
           "of all rows than is shown.";
  }

  void AddKeptMass() {
    Chart chart;
    chart.name = "anchors";
    chart.title = "Mass between pictures that anchors keep";
    chart.caption =
        fmt::format("{} Random anchors keep about their share. Direct mass is that of {}.{}",
                    kAnchorText, SampleOf(), OracleText());
    ReportTable table;
    table.name = "anchors";
    table.title = chart.title;
    table.definition = kAnchorText + OracleText();
    table.sample = SampleOf();
    table.columns = {{"layer", "", "from 1"},
                     {"layer_index", "", "from 0"},
                     {"choice", "", "how anchors are chosen"},
                     {"share", "share", "of all patches that are anchors"},
                     {"anchors", "", "how many they are"},
                     {"kept_mass", "share", "of the direct mass"},
                     {"shared_with_oracle", "share", "anchors that the oracle has, too"}};
    const std::vector<double> x(std::begin(kAnchorShares), std::end(kAnchorShares));
    for (const AnchorLayer& of : layers_) {
      LinePanel panel;
      panel.title = LayerText(blocks_, of.layer);
      panel.x_label = "share of patches";
      panel.y_label = "kept mass";
      panel.y_low = 0;
      panel.y_high = 1;
      int colour = 0;
      for (const AnchorChoiceInfo& info : AnchorChoices()) {
        if (!HasChoice(info.choice)) continue;
        std::vector<double> kept;
        for (const double share : kAnchorShares) {
          const std::vector<int64_t> oracle =
              ChooseAnchors(of.scores, AnchorChoice::kOracle, share, input_.seed);
          const std::vector<int64_t> anchors =
              ChooseAnchors(of.scores, info.choice, share, input_.seed);
          std::vector<int64_t> both;
          std::set_intersection(anchors.begin(), anchors.end(), oracle.begin(), oracle.end(),
                                std::back_inserter(both));
          kept.push_back(KeptMass(of.scores, anchors));
          const int64_t index = blocks_.layers[of.layer].index;
          table.rows.push_back(
              {index + 1, index, std::string(info.name), share, std::ssize(anchors), kept.back(),
               static_cast<double>(both.size()) / static_cast<double>(anchors.size())});
        }
        panel.series.push_back({info.label, colour++, false, true, x, std::move(kept), {}, {}});
      }
      chart.panels.emplace_back(std::move(panel));
    }
    AddKeptFinding(table);
    section_.charts.push_back(std::move(chart));
    section_.tables.push_back(std::move(table));
  }

  // Of a fifth of all patches, in the layer where the oracle keeps most.
  void AddKeptFinding(const ReportTable& table) {
    const auto kept = [&](size_t layer, const char* choice) {
      const int64_t index = blocks_.layers[layers_[layer].layer].index;
      for (const std::vector<TableCell>& row : table.rows) {
        if (std::get<int64_t>(row[1]) == index && std::get<std::string>(row[2]) == choice &&
            std::get<double>(row[3]) == 0.2) {
          return 100 * std::get<double>(row[5]);
        }
      }
      return 0.0;
    };
    size_t best = 0;
    for (size_t i = 1; i < layers_.size(); ++i) {
      if (kept(i, "oracle") > kept(best, "oracle")) best = i;
    }
    std::string text = fmt::format(
        "A fifth of all patches keeps up to {:.0f} % of the mass between pictures (oracle, {}); "
        "chosen by what their own picture gives them {:.0f} %",
        kept(best, "oracle"), LayerText(blocks_, layers_[best].layer), kept(best, "local"));
    if (HasChoice(AnchorChoice::kRegisters)) {
      text += fmt::format(", through registers {:.0f} %", kept(best, "registers"));
    }
    text += fmt::format(", at random {:.0f} %", kept(best, "random"));
    section_.findings.push_back(
        sample_.all ? text + "." : fmt::format("{} (rows: {}).{}", text, SampleOf(), OracleText()));
  }

  static double MeanOf(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }

  void AddLayers() {
    struct Column {
      const char* name;
      const char* label;
      const char* unit;
      std::vector<double> AnchorScores::*of;
    };
    constexpr Column kColumns[] = {
        {"local_entropy", "entropy (nats)", "nats", &AnchorScores::local_entropy},
        {"local_self_mass", "mass on the query itself", "share", &AnchorScores::local_self_mass},
        {"local_far_mass", "mass beyond a quarter of the grid", "share",
         &AnchorScores::local_far_mass}};
    Chart chart;
    chart.name = "anchor_layers";
    chart.title = "Attention inside a picture, and mass between pictures";
    chart.caption =
        "Of the softmax over the patches of the query's own picture alone: mean over patch "
        "queries, heads and pictures. Mass between pictures is that of the softmax over all keys.";
    ReportTable table;
    table.name = "anchor_layers";
    table.title = chart.title;
    table.definition = kAnchorText;
    table.sample = SampleOf();
    table.columns = {{"layer", "", "from 1"}, {"layer_index", "", "from 0"}};
    std::vector<double> x, cross;
    for (const AnchorLayer& of : layers_) {
      const int64_t index = blocks_.layers[of.layer].index;
      x.push_back(static_cast<double>(index + 1));
      cross.push_back(of.scores.cross_mass);
      table.rows.push_back({index + 1, index});
    }
    const auto add = [&](const char* name, const std::string& label, const char* unit,
                         const std::vector<double>& y) {
      LinePanel panel;
      panel.x_label = "global layer, from 1";
      panel.y_label = label;
      panel.y_low = 0;
      panel.series.push_back({"", 0, false, true, x, y, {}, {}});
      chart.panels.emplace_back(std::move(panel));
      table.columns.push_back({name, unit, label});
      for (size_t i = 0; i < y.size(); ++i) table.rows[i].emplace_back(y[i]);
    };
    for (const Column& column : kColumns) {
      std::vector<double> y;
      for (const AnchorLayer& of : layers_) y.push_back(MeanOf(of.scores.*column.of));
      add(column.name, column.label, column.unit, y);
    }
    add("cross_mass", "mass on patches of other pictures", "share", cross);
    chart.columns = 2;
    section_.charts.push_back(std::move(chart));
    section_.tables.push_back(std::move(table));
  }

  void AddMaps() {
    const AnchorLayer& of = layers_[layers_.size() / 2];
    Chart chart;
    chart.name = "anchor_maps";
    chart.title = fmt::format("Which patches other pictures use, {}", LayerText(blocks_, of.layer));
    chart.caption =
        fmt::format("{} Maps are times their mean over all pictures. Direct mass is that of {}.",
                    kAnchorText, SampleOf());
    chart.columns = static_cast<int>(std::min(kAnchorMaps, grid_.frames));
    AddRow(chart, "direct mass", of.scores.direct);
    if (!of.scores.register_score.empty()) {
      AddRow(chart, "register score", of.scores.register_score);
      HeatPanel panel;
      panel.title = "registers to registers";
      panel.x_label = "picture of the keys";
      panel.y_label = "picture of the queries";
      panel.unit = "mean probability";
      panel.rows = panel.cols = grid_.frames;
      panel.values.assign(of.scores.register_graph.values.begin(),
                          of.scores.register_graph.values.end());
      for (int64_t f = 0; f < grid_.frames; ++f) panel.row_names.push_back(std::to_string(f));
      panel.col_names = panel.row_names;
      chart.panels.emplace_back(std::move(panel));
    }
    section_.charts.push_back(std::move(chart));
  }

  // The first, a middle and the last picture; one scale for all.
  void AddRow(Chart& chart, const std::string& title, const std::vector<double>& values) const {
    const double mean = std::max(MeanOf(values), 1e-30);
    std::vector<float> sorted;
    for (const double value : values) sorted.push_back(static_cast<float>(value / mean));
    const std::vector<float> times = sorted;
    const auto place =
        sorted.begin() + static_cast<std::ptrdiff_t>(0.99 * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), place, sorted.end());
    for (int64_t i = 0; i < chart.columns; ++i) {
      const int64_t frame = chart.columns == 1 ? 0 : i * (grid_.frames - 1) / (chart.columns - 1);
      MapPanel panel;
      panel.title = fmt::format("{}, picture {}", title, frame);
      panel.picture = input_.picture(static_cast<size_t>(frame));
      const auto begin = times.begin() + frame * grid_.patches();
      panel.map.assign(begin, begin + grid_.patches());
      panel.colours.colormap = Colormap::kInferno;
      panel.colours.opacity = kMapOpacity;
      panel.colours.range = {0, *place, false};
      panel.shade = kMapShade;
      panel.unit = "times the mean";
      panel.bar = i + 1 == chart.columns;
      chart.panels.emplace_back(std::move(panel));
    }
  }

  const SectionInput& input_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  RowSample sample_;
  std::vector<AnchorLayer> layers_;
  Section section_;
};

}  // namespace

Section AnchorsSection(const SectionInput& input) { return AnchorsMaker(input).Make(); }

}  // namespace vggt
