// SPDX-License-Identifier: Apache-2.0
#include "report/sparsity_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/sparsity.h"
#include "analysis/sparsity_table.h"
#include "ops/quantile.h"

namespace vggt {
namespace {

double AverageOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double QuantileOf(const std::vector<double>& values, double q) {
  const std::vector<float> floats(values.begin(), values.end());
  return Quantile({floats.data(), 1, std::ssize(floats), std::ssize(floats)}, q);
}

// The value of all heads of all layers in one setting.
std::vector<double> AllHeads(const std::vector<LayerSparsity>& layers, size_t outcome,
                             std::vector<double> SparsityOutcome::*member) {
  std::vector<double> values;
  for (const LayerSparsity& layer : layers) {
    const std::vector<double>& some = layer.outcomes[outcome].*member;
    values.insert(values.end(), some.begin(), some.end());
  }
  return values;
}

const char* LabelOf(SparsityRule rule) { return SparsityRules()[static_cast<size_t>(rule)].label; }

class SparsityMaking {
 public:
  explicit SparsityMaking(const SectionInput& input)
      : input_(input), blocks_(SparsityBlocks(input.store.description())) {
    options_.seed = input.seed;
    const QkDescription& description = input.store.description();
    const TokenGrid grid = description.token_grid(blocks_);
    const RowSample sample = !input.rows        ? SparsitySample(description)
                             : *input.rows == 0 ? AllRows(grid)
                                                : SampledRows(grid, *input.rows);
    const size_t count = blocks_.layers.size();
    for (size_t i = 0; i < count; ++i) {
      const LayerStatistics* statistics =
          input.statistics ? &input.statistics(blocks_.kind, i) : nullptr;
      layers_.push_back(
          ComputeSparsity(input.store, i, sample, options_, input.stop_check, statistics));
      if (input.progress) {
        input.progress(static_cast<double>(i + 1) / static_cast<double>(count));
      }
    }
  }

  Section Make() {
    section_.name = "sparsity";
    section_.title = "What sparse attention would keep";
    section_.tables = {SparsityTable(layers_), SparsityHeadsTable(layers_),
                       BlockMasksTable(layers_, options_)};
    AddRules();
    AddMask();
    Find();
    section_.notes.emplace_back(
        "The mass that is kept is no error of the output: that takes the value vectors, which "
        "exports do not hold, and probability is a poor proxy of it.");
    if (!KnowsLengths(blocks_)) {
      section_.notes.emplace_back(
          "The lengths of what values add are not part of this export, so that no mass is weighted "
          "by them. An export made by this version has them.");
    }
    return std::move(section_);
  }

 private:
  const std::vector<SparsityOutcome>& outcomes() const { return layers_[0].outcomes; }

  std::vector<double> LayerNumbers() const {
    std::vector<double> numbers;
    for (const LayerSparsity& layer : layers_) {
      numbers.push_back(static_cast<double>(layer.layer_index + 1));
    }
    return numbers;
  }

  // Kept share and mass of a rule's settings, by the kept share; a band from quarter to quarter of
  // all heads.
  ChartSeries CurveOf(SparsityRule rule, std::vector<double> SparsityOutcome::*member, int colour,
                      bool band) const {
    ChartSeries series{.label = LabelOf(rule), .colour = colour, .points = !band};
    std::vector<std::pair<double, size_t>> places;
    for (size_t o = 0; o < outcomes().size(); ++o) {
      if (outcomes()[o].rule != rule) continue;
      places.emplace_back(AverageOf(AllHeads(layers_, o, &SparsityOutcome::kept)), o);
    }
    std::sort(places.begin(), places.end());
    for (const auto& [kept, o] : places) {
      const std::vector<double> values = AllHeads(layers_, o, member);
      series.x.push_back(100 * kept);
      series.y.push_back(AverageOf(values));
      if (!band) continue;
      series.low.push_back(QuantileOf(values, 0.25));
      series.high.push_back(QuantileOf(values, 0.75));
    }
    return series;
  }

  LinePanel Curves(const std::string& title, const std::string& y_label,
                   std::vector<double> SparsityOutcome::*member) const {
    LinePanel panel{.title = title,
                    .x_label = "keys kept (%)",
                    .y_label = y_label,
                    .y_low = 0,
                    .y_high = 1,
                    .log_x = true};
    panel.series.push_back(CurveOf(SparsityRule::kTop, member, 0, true));
    int colour = 1;
    for (const SparsityRule rule :
         {SparsityRule::kBlocks, SparsityRule::kGrid, SparsityRule::kOwnPicture,
          SparsityRule::kRandomAnchors, SparsityRule::kOwnAnchors, SparsityRule::kColumnAnchors}) {
      panel.series.push_back(CurveOf(rule, member, colour++, false));
    }
    return panel;
  }

  // One line a rule over the layers, all at about a tenth of the keys.
  LinePanel ByLayer() const {
    LinePanel panel{.title = "By layer",
                    .x_label = "layer",
                    .y_label = "mass kept (share)",
                    .y_low = 0,
                    .y_high = 1};
    const std::pair<SparsityRule, int> rules[] = {
        {SparsityRule::kTop, 0},           {SparsityRule::kBlocks, 1},
        {SparsityRule::kGrid, 2},          {SparsityRule::kOwnPicture, 3},
        {SparsityRule::kRandomAnchors, 4}, {SparsityRule::kOwnAnchors, 5},
        {SparsityRule::kColumnAnchors, 6}};
    for (const auto& [rule, colour] : rules) {
      const size_t o = NearestTo(0.1, rule);
      ChartSeries series{.label = LabelOf(rule), .colour = colour, .x = LayerNumbers()};
      for (const LayerSparsity& layer : layers_)
        series.y.push_back(AverageOf(layer.outcomes[o].mass));
      panel.series.push_back(std::move(series));
    }
    return panel;
  }

  // "largest keys, 10 %; block mask, CDF 0, ratio 0.9; … own picture, 17 % of the keys"
  std::string SettingsByLayer() const {
    std::string text;
    for (const SparsityRuleInfo& info : SparsityRules()) {
      const std::string& setting = outcomes()[NearestTo(0.1, info.rule)].setting;
      if (info.rule == SparsityRule::kEvenAnchors || setting.empty()) continue;
      text += fmt::format("{}{}, {}", text.empty() ? "" : "; ", info.label, setting);
    }
    // It has one setting, however many keys that are.
    const std::vector<double> kept =
        AllHeads(layers_, NearestTo(0.1, SparsityRule::kOwnPicture), &SparsityOutcome::kept);
    return fmt::format("{}; {}, always {:.0f} % of the keys", text,
                       LabelOf(SparsityRule::kOwnPicture), 100 * AverageOf(kept));
  }

  // The setting of a rule whose kept share is nearest to one.
  size_t NearestTo(double kept, SparsityRule rule) const {
    size_t nearest = 0;
    double least = 2;
    for (size_t o = 0; o < outcomes().size(); ++o) {
      if (outcomes()[o].rule != rule) continue;
      const double distance =
          std::abs(AverageOf(AllHeads(layers_, o, &SparsityOutcome::kept)) - kept);
      if (distance < least) {
        least = distance;
        nearest = o;
      }
    }
    return nearest;
  }

  HeatPanel Heads() const {
    HeatPanel panel{.title = "Keys that hold 90 % of the mass",
                    .x_label = "head",
                    .y_label = "layer",
                    .unit = "% of all keys (logarithmic)",
                    .rows = std::ssize(layers_),
                    .cols = blocks_.heads};
    for (const LayerSparsity& layer : layers_) {
      panel.row_names.push_back(std::to_string(layer.layer_index + 1));
      for (const double share : layer.keys_for_90) {
        panel.values.push_back(static_cast<float>(100 * share));
      }
    }
    for (int64_t h = 1; h <= blocks_.heads; ++h) panel.col_names.push_back(std::to_string(h));
    const float largest = *std::max_element(panel.values.begin(), panel.values.end());
    panel.range = ColourRange{0, largest, true};
    return panel;
  }

  void AddRules() {
    Chart chart;
    chart.name = "sparsity";
    chart.title = fmt::format("What rules would keep of {} attention", BlockKindName(blocks_.kind));
    chart.columns = 2;
    chart.panels.emplace_back(
        Curves("All layers and heads", "mass kept (share)", &SparsityOutcome::mass));
    chart.panels.emplace_back(ByLayer());
    chart.panels.emplace_back(Heads());
    if (KnowsLengths(blocks_)) {
      chart.panels.emplace_back(Curves("Weighted by what values add", "weighted mass kept (share)",
                                       &SparsityOutcome::weighted_mass));
    }
    chart.caption = fmt::format(
        "Mean probability on the keys that a rule keeps, softmax over all keys, after RoPE; band: "
        "from quarter to quarter of all heads. Largest keys: of each query. Block mask: blocks of "
        "128 queries by 64 keys, chosen by their means (arXiv 2509.07120): each block of queries "
        "keeps its most probable blocks until they hold the share CDF of the probability of all, "
        "and at least 1 - ratio of all blocks; CDF 0 keeps just these. Grid: every s-th grid row "
        "and column and the query's own token (AVGGT, arXiv 2512.02541). Own picture: its patches. "
        "Anchors: 5 to 30 % of the patches, drawn at random (the mean of {} draws, seed {}), by "
        "the attention inside their picture, or by the mass that all queries give them. {} All but "
        "the largest keys keep special tokens. By layer, each rule in the setting that keeps about "
        "a tenth of the keys: {}. Rows: {}.",
        options_.draws, input_.seed, ChosenAnchorsText(layers_[0]), SettingsByLayer(),
        section_.tables[0].sample);
    if (KnowsLengths(blocks_)) {
      chart.caption += fmt::format(" Weighted masses are of {}.", section_.tables[1].sample);
    }
    section_.charts.push_back(std::move(chart));
  }

  // The masks of the layer that needs the fewest keys: of the head that needs fewest and of the one
  // that needs most.
  void AddMask() {
    const LayerSparsity& layer = layers_[SparsestLayer()];
    if (layer.mask_shape[2] * layer.mask_shape[3] < 2) return;
    const auto [least, most] =
        std::minmax_element(layer.keys_for_90.begin(), layer.keys_for_90.end());
    Chart chart;
    chart.name = "block_masks";
    chart.title =
        fmt::format("Block masks of {} layer {}", BlockKindName(layer.kind), layer.layer_index + 1);
    chart.columns = 2;
    const BlockMaskRule& rule = options_.blocks[options_.mask];
    chart.caption = fmt::format(
        "Which blocks of 64 keys a block of 128 queries would look at (CDF {:g}, ratio {:g}); of "
        "the head that needs the fewest keys for 90 % of its mass, and of the one that needs the "
        "most. A mask follows from the means of blocks of queries and keys: a head that looks at "
        "few single keys can have means that are much alike, so that many blocks are needed for "
        "the share CDF, and a head that looks widely can have means that differ. "
        "Lines: where pictures end. Special tokens are always kept and not shown.",
        rule.cdf, rule.ratio);
    const int64_t size = layer.mask_shape[2] * layer.mask_shape[3];
    for (const auto& head : {least, most}) {
      const auto place = std::distance(layer.keys_for_90.begin(), head);
      const auto first = layer.block_mask.begin() + place * layer.mask_shape[1] * size;
      HeatPanel panel{.title = fmt::format("Head {}", place + 1),
                      .x_label = "block of keys",
                      .y_label = "block of queries",
                      .rows = layer.mask_shape[2],
                      .cols = layer.mask_shape[3],
                      .values = {first, first + size}};
      panel.classes = {"left out", "kept"};
      for (int64_t i = 1; i <= panel.rows; ++i) panel.row_names.push_back(std::to_string(i));
      for (int64_t i = 1; i <= panel.cols; ++i) panel.col_names.push_back(std::to_string(i));
      for (int64_t f = 1; f < layer.grid.frames; ++f) {
        const auto patches = static_cast<double>(f * layer.grid.patches());
        // Of a mask of one picture's queries or keys there are no others.
        const double down = patches / static_cast<double>(kMaskQueries);
        const double across = patches / static_cast<double>(kMaskKeys);
        if (down < static_cast<double>(panel.rows)) panel.row_edges.push_back(down);
        if (across < static_cast<double>(panel.cols)) panel.col_edges.push_back(across);
      }
      chart.panels.emplace_back(std::move(panel));
    }
    section_.charts.push_back(std::move(chart));
  }

  size_t SparsestLayer() const {
    size_t best = 0;
    for (size_t i = 1; i < layers_.size(); ++i) {
      if (AverageOf(layers_[i].keys_for_90) < AverageOf(layers_[best].keys_for_90)) best = i;
    }
    return best;
  }

  void Find() {
    std::vector<double> all, means;
    for (const LayerSparsity& layer : layers_) {
      all.insert(all.end(), layer.keys_for_90.begin(), layer.keys_for_90.end());
      means.push_back(AverageOf(layer.keys_for_90));
    }
    const auto [least, most] = std::minmax_element(means.begin(), means.end());
    const auto number = [&](auto at) { return layers_[at - means.begin()].layer_index + 1; };
    section_.findings.push_back(fmt::format(
        "{:.1f} % of the keys hold 90 % of a query's mass, the mean over {} layers and heads: from "
        "{:.1f} % in layer {} to {:.1f} % in layer {}.",
        100 * AverageOf(all), BlockKindName(blocks_.kind), 100 * *least, number(least), 100 * *most,
        number(most)));
    const auto mean = [&](size_t o) {
      return 100 * AverageOf(AllHeads(layers_, o, &SparsityOutcome::mass));
    };
    const auto kept = [&](size_t o) {
      return 100 * AverageOf(AllHeads(layers_, o, &SparsityOutcome::kept));
    };
    const size_t top = NearestTo(0.1, SparsityRule::kTop);
    const size_t blocks = NearestTo(0.1, SparsityRule::kBlocks);
    const size_t grid = NearestTo(0.1, SparsityRule::kGrid);
    const size_t random = NearestTo(0.1, SparsityRule::kRandomAnchors);
    double deviation = 0;
    for (const LayerSparsity& layer : layers_) {
      deviation += layer.outcomes[random].draw_deviation / static_cast<double>(layers_.size());
    }
    section_.findings.push_back(fmt::format(
        "A tenth of the keys, the largest of each query, would keep {:.1f} % of the mass; a block "
        "mask ({}) keeps {:.1f} % of it with {:.1f} % of the keys, a grid ({}) {:.1f} % with "
        "{:.1f} "
        "%, random anchors {:.1f} % with {:.1f} % (the mean of {} draws; in a layer it differs "
        "from "
        "draw to draw by ±{:.1f} %, a standard deviation).",
        mean(top), outcomes()[blocks].setting, mean(blocks), kept(blocks), outcomes()[grid].setting,
        mean(grid), kept(grid), mean(random), kept(random), options_.draws, 100 * deviation));
    if (blocks_.attends == Attends::kFrame || layers_[0].grid.frames == 1) return;
    const size_t own = NearestTo(0.5, SparsityRule::kOwnPicture);
    std::vector<double> masses;
    for (const LayerSparsity& layer : layers_)
      masses.push_back(AverageOf(layer.outcomes[own].mass));
    const auto [fewest, largest] = std::minmax_element(masses.begin(), masses.end());
    section_.findings.push_back(fmt::format(
        "Attention to the own picture and all special tokens alone ({:.1f} % of the keys) would "
        "keep {:.1f} % of the mass in layer {} and {:.1f} % in layer {}, the least and the most.",
        kept(own), 100 * *fewest, layers_[fewest - masses.begin()].layer_index + 1, 100 * *largest,
        layers_[largest - masses.begin()].layer_index + 1));
  }

  const SectionInput& input_;
  const QkBlocks& blocks_;
  SparsityOptions options_;
  std::vector<LayerSparsity> layers_;
  Section section_;
};

}  // namespace

Section SparsitySection(const SectionInput& input) { return SparsityMaking(input).Make(); }

}  // namespace vggt
