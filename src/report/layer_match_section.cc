// SPDX-License-Identifier: Apache-2.0
#include "report/layer_match_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/layer_choice.h"
#include "analysis/layer_match.h"
#include "analysis/stored_rows.h"

namespace vggt {
namespace {

constexpr int64_t kMostPartners = 3;
constexpr size_t kMostMatchLines = 60;
constexpr size_t kSweepLayers = 12;

double MutualShare(const std::vector<LayerMatch>& matches) {
  const auto mutual = std::count_if(matches.begin(), matches.end(),
                                    [](const LayerMatch& match) { return match.mutual; });
  return static_cast<double>(mutual) / static_cast<double>(matches.size());
}

class LayerMatchMaker {
 public:
  explicit LayerMatchMaker(const SectionInput& input)
      : input_(input),
        blocks_(GlobalBlocksOfSeveral(input.store, "a match")),
        grid_(input.store.description().token_grid(blocks_)),
        all_(blocks_.layers.size()) {
    std::iota(all_.begin(), all_.end(), 0);
    text_ = fmt::format(
        "Matches as poincar3 (2026) reads them out of attention, here of {}: L̄ = mean over layers "
        "and heads of ½ (logit of the patch's query and the other's key + logit of the other's "
        "query and the patch's key), after RoPE; softmax of L̄ / {:g} over the patches of the other "
        "picture. A match is the patch with the largest L̄; x and y are the mean of all centres, "
        "weighted by the softmax. Mutual: the match's own largest L̄ is the patch that it was "
        "found from.",
        LayersText(blocks_, all_), kMatchTemperature);
  }

  Section Make() {
    section_.name = "layer_match";
    section_.title = "Matches over all layers together";
    const int64_t partners = std::min(kMostPartners, grid_.frames - 1);
    for (int64_t i = 1; i <= partners; ++i) partners_.push_back(i * (grid_.frames - 1) / partners);
    AddMatches();
    AddSweep();
    if (input_.progress) input_.progress(1);
    return std::move(section_);
  }

 private:
  ChartMark MarkOf(int64_t patch) const {
    const int64_t row = patch / grid_.width, col = patch % grid_.width;
    ChartMark mark;
    mark.x = static_cast<double>(col) + 0.5;
    mark.y = static_cast<double>(row) + 0.5;
    return mark;
  }

  double Moved(int64_t from, int64_t to) const {
    const ChartMark a = MarkOf(from), b = MarkOf(to);
    return std::hypot(a.x - b.x, a.y - b.y);
  }

  void AddMatches() {
    Chart chart;
    chart.name = "layer_matches";
    chart.title = "Mutual matches of picture 0";
    chart.columns = 1;
    chart.caption = fmt::format(
        "{} Lines are at most {} of the mutual matches, evenly spaced over the picture.", text_,
        kMostMatchLines);
    ReportTable table;
    table.name = "layer_matches";
    table.title = "Matches of the patches of picture 0";
    table.definition = text_;
    table.sample = fmt::format("all {} patches of picture 0", grid_.patches());
    table.columns = {{"picture", "", "in which the match lies, from 0"},
                     {"row", "", "of the patch in picture 0, from 0"},
                     {"col", "", "of the patch in picture 0, from 0"},
                     {"match_row", "", "of the match"},
                     {"match_col", "", "of the match"},
                     {"x", "cells", "mean position, from the left edge; a centre is at + 0.5"},
                     {"y", "cells", "mean position, from the upper edge"},
                     {"probability", "share", "of the match in the softmax"},
                     {"logit", "", "L̄ of the match"},
                     {"mutual", "", "1 if the match is mutual"}};
    for (const int64_t partner : partners_) {
      const std::vector<LayerMatch> matches =
          MatchPatches(input_.store, all_, 0, partner, kMatchTemperature, input_.stop_check);
      shares_.push_back(MutualShare(matches));
      std::vector<int64_t> mutual;
      double moved = 0;
      int64_t same_cell = 0;
      for (int64_t p = 0; p < grid_.patches(); ++p) {
        const LayerMatch& match = matches[static_cast<size_t>(p)];
        table.rows.push_back({partner, p / grid_.width, p % grid_.width, match.patch / grid_.width,
                              match.patch % grid_.width, match.x, match.y, match.probability,
                              match.logit, int64_t{match.mutual}});
        if (!match.mutual) continue;
        mutual.push_back(p);
        moved += Moved(p, match.patch);
        if (p == match.patch) ++same_cell;
      }
      const auto count = std::max(1.0, static_cast<double>(mutual.size()));
      section_.findings.push_back(
          fmt::format("Between pictures 0 and {}, {:.0f} % of the patches match mutually, {:.1f} "
                      "cells apart in "
                      "the mean; {:.0f} % of these lie in the same cell.",
                      partner, 100 * shares_.back(), moved / count,
                      100 * static_cast<double>(same_cell) / count));
      chart.panels.emplace_back(Links(partner, matches, mutual));
    }
    section_.charts.push_back(std::move(chart));
    section_.tables.push_back(std::move(table));
  }

  LinksPanel Links(int64_t partner, const std::vector<LayerMatch>& matches,
                   const std::vector<int64_t>& mutual) const {
    LinksPanel panel;
    panel.title = fmt::format("picture 0 and picture {}", partner);
    panel.left = input_.picture(0);
    panel.right = input_.picture(static_cast<size_t>(partner));
    const size_t lines = std::min(kMostMatchLines, mutual.size());
    for (size_t i = 0; i < lines; ++i) {
      const int64_t patch = mutual[i * mutual.size() / lines];
      const int64_t to = matches[static_cast<size_t>(patch)].patch;
      panel.links.push_back({MarkOf(patch), MarkOf(to), patch == to ? 1 : 0});
    }
    panel.legend = {{0, "another cell"}, {1, "the same cell"}};
    return panel;
  }

  // The mutual share of single layers.
  void AddSweep() {
    const std::vector<size_t> layers = EvenLayers(blocks_, kSweepLayers);
    LinePanel panel;
    panel.x_label = "global layer, from 1";
    panel.y_label = "mutual share";
    panel.y_low = 0;
    panel.y_high = 1;
    std::vector<double> x;
    for (const size_t layer : layers) {
      x.push_back(static_cast<double>(blocks_.layers[layer].index + 1));
    }
    for (size_t i = 0; i < partners_.size(); ++i) {
      std::vector<double> shares;
      for (const size_t layer : layers) {
        shares.push_back(
            MutualShare(MatchPatches(input_.store, std::span(&layer, 1), 0, partners_[i],
                                     kMatchTemperature, input_.stop_check)));
      }
      panel.levels.emplace_back(shares_[i], fmt::format("all layers, picture {}", partners_[i]));
      panel.series.push_back({fmt::format("picture {}", partners_[i]),
                              static_cast<int>(i),
                              false,
                              true,
                              x,
                              std::move(shares),
                              {},
                              {}});
    }
    Chart chart;
    chart.name = "layer_match_layers";
    chart.title = "Mutual matches of single layers";
    chart.caption = text_ + " Here of one layer at a time; thin lines are those of all together.";
    chart.columns = 1;
    chart.panels.emplace_back(std::move(panel));
    section_.charts.push_back(std::move(chart));
  }

  const SectionInput& input_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  std::vector<size_t> all_;
  std::string text_;
  std::vector<int64_t> partners_;
  std::vector<double> shares_;
  Section section_;
};

}  // namespace

Section LayerMatchSection(const SectionInput& input) { return LayerMatchMaker(input).Make(); }

}  // namespace vggt
