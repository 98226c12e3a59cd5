// SPDX-License-Identifier: Apache-2.0
#include "report/similarity_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/similarity.h"
#include "analysis/similarity_table.h"

namespace vggt {
namespace {

using SimilarityLayers = std::vector<LayerSimilarity>;

class SimilarityMaking {
 public:
  explicit SimilarityMaking(const SectionInput& input) : input_(input) {
    const std::vector<QkBlocks>& blocks = input.store.description().blocks;
    for (size_t b = 0; b < blocks.size(); ++b) {
      kinds_.push_back(ComputeSimilarity(input.store, blocks[b].kind, input.stop_check));
      all_.insert(all_.end(), kinds_.back().begin(), kinds_.back().end());
      if (input.progress) {
        input.progress(static_cast<double>(b + 1) / static_cast<double>(blocks.size()));
      }
    }
  }

  Section Make() {
    section_.name = "similarity";
    section_.title = "How alike tokens are";
    section_.tables = {SimilarityTable(all_), SimilarityHeadsTable(all_)};
    AddChart();
    Find();
    const bool hidden = std::any_of(all_.begin(), all_.end(), [](const LayerSimilarity& layer) {
      return !layer.hidden_frames.empty();
    });
    if (!hidden) {
      section_.notes.emplace_back(
          "Sums of the hidden states' unit vectors are not part of this export, so that only "
          "queries "
          "and keys are compared. An export made by this version has them.");
    }
    return std::move(section_);
  }

 private:
  // One line for each kind of block; a kind without a number is left out.
  template <typename Value>
  void AddLines(LinePanel& panel, bool dashed, const std::string& suffix, Value value) const {
    for (const SimilarityLayers& layers : kinds_) {
      ChartSeries series{.label = BlockKindName(layers[0].kind) + suffix,
                         .colour = static_cast<int>(layers[0].kind),
                         .dashed = dashed};
      for (const LayerSimilarity& layer : layers) {
        series.x.push_back(static_cast<double>(layer.layer_index + 1));
        series.y.push_back(value(layer));
      }
      const bool none =
          std::all_of(series.y.begin(), series.y.end(), [](double y) { return !std::isfinite(y); });
      if (!none) panel.series.push_back(std::move(series));
    }
  }

  template <typename Value>
  LinePanel Panel(const std::string& title, const std::string& y_label, Value value) const {
    LinePanel panel{.title = title, .x_label = "layer", .y_label = y_label};
    AddLines(panel, false, "", value);
    return panel;
  }

  void AddChart() {
    using Layer = LayerSimilarity;
    const char* kCosine = "mean cosine";
    std::vector<LinePanel> panels;
    panels.push_back(Panel("Keys of one picture", kCosine,
                           [](const Layer& layer) { return layer.keys.cosines.back().within; }));
    panels.push_back(Panel("Keys of two pictures", kCosine,
                           [](const Layer& layer) { return layer.keys.cosines.back().across; }));
    AddLines(panels.back(), true, ", same cell",
             [](const Layer& layer) { return layer.keys.cosines.back().same_cell; });
    panels.push_back(Panel("Queries of one picture", kCosine,
                           [](const Layer& layer) { return layer.queries.cosines.back().within; }));
    panels.push_back(Panel("Hidden states of one picture", kCosine,
                           [](const Layer& layer) { return layer.hidden.within; }));
    if (input_.statistics) panels.push_back(RowsPanel());
    panels.push_back(Panel("Effective rank of keys", "directions",
                           [](const Layer& layer) { return layer.keys.ranks.back().effective; }));
    panels.push_back(Panel("Keys' likeness in the next layer", "correlation",
                           [](const Layer& layer) { return layer.keys.next_layer; }));
    Chart chart;
    chart.name = "similarity";
    chart.title = "How alike tokens are, layer by layer";
    for (LinePanel& panel : panels) {
      if (!panel.series.empty()) chart.panels.emplace_back(std::move(panel));
    }
    chart.caption = fmt::format(
        "Mean cosines between all patches, by (‖Σ x̂‖² − n) / (n (n − 1)) within a picture and (Σ "
        "x̂)·(Σ "
        "ŷ) / n² between two, keys and queries of all heads joined, before RoPE; dashed: patches "
        "at "
        "one place of the grid in two pictures. Attention rows: mean over heads. Effective rank "
        "exp(−Σ p ln p), p = σ / Σ σ, and the correlation of all pairs' cosines with those of the "
        "next layer: of {} patches, evenly spaced.",
        all_[0].sample.size());
    section_.charts.push_back(std::move(chart));
  }

  LinePanel RowsPanel() const {
    LinePanel panel{.title = "Attention rows", .x_label = "layer", .y_label = "mean cosine"};
    for (const SimilarityLayers& layers : kinds_) {
      ChartSeries series{.label = BlockKindName(layers[0].kind),
                         .colour = static_cast<int>(layers[0].kind)};
      for (size_t i = 0; i < layers.size(); ++i) {
        const LayerStatistics& layer = input_.statistics(layers[i].kind, i);
        double sum = 0;
        for (int64_t h = 0; h < layer.heads; ++h) sum += layer.Mean(HeadMetric::kRowSimilarity, h);
        series.x.push_back(static_cast<double>(layer.layer_index + 1));
        series.y.push_back(sum / static_cast<double>(layer.heads));
      }
      panel.series.push_back(std::move(series));
    }
    return panel;
  }

  void Find() {
    for (const SimilarityLayers& layers : kinds_) {
      const char* kind = BlockKindName(layers[0].kind);
      FindExtremes(layers, fmt::format("The keys of one picture in {} blocks", kind), "alike",
                   "mean cosine",
                   [](const LayerSimilarity& layer) { return layer.keys.cosines.back().within; });
      FindExtremes(layers, fmt::format("Keys in {} blocks", kind), "spread over directions",
                   "effective rank",
                   [](const LayerSimilarity& layer) { return layer.keys.ranks.back().effective; });
      FindStable(layers, kind);
    }
  }

  template <typename Value>
  void FindExtremes(const SimilarityLayers& layers, const std::string& what, const char* adjective,
                    const char* number, Value value) {
    const auto less = [&](const LayerSimilarity& a, const LayerSimilarity& b) {
      return value(a) < value(b);
    };
    if (layers.size() < 2 || !std::isfinite(value(layers[0]))) return;
    const auto [least, most] = std::minmax_element(layers.begin(), layers.end(), less);
    section_.findings.push_back(fmt::format(
        "{} are most {} in layer {} ({} {:.3g}) and least in layer {} ({:.3g}).", what, adjective,
        most->layer_index + 1, number, value(*most), least->layer_index + 1, value(*least)));
  }

  // Neighbours whose patterns of likeness agree could share the choice of tokens to merge.
  void FindStable(const SimilarityLayers& layers, const char* kind) {
    constexpr double kStable = 0.9;
    int64_t pairs = 0, stable = 0;
    for (const LayerSimilarity& layer : layers) {
      if (!std::isfinite(layer.keys.next_layer)) continue;
      ++pairs;
      stable += layer.keys.next_layer >= kStable;
    }
    if (pairs == 0) return;
    section_.findings.push_back(fmt::format(
        "In {} of {} pairs of neighbouring {} layers, the cosines between keys correlate with {:g} "
        "or more: what is alike in one is alike in the next.",
        stable, pairs, kind, kStable));
  }

  const SectionInput& input_;
  std::vector<SimilarityLayers> kinds_;
  SimilarityLayers all_;
  Section section_;
};

}  // namespace

Section SimilaritySection(const SectionInput& input) { return SimilarityMaking(input).Make(); }

}  // namespace vggt
