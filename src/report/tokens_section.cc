// SPDX-License-Identifier: Apache-2.0
#include "report/tokens_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "analysis/token_flow.h"
#include "attention/attention_rows.h"
#include "attention/value_stats.h"
#include "report/chart_axis.h"

namespace vggt {
namespace {

// Pictures and special tokens of which maps are shown.
constexpr int64_t kMostMapPictures = 6, kMostMapTokens = 6;

// The statistics of a kind's layers and the lengths that the store has.
struct KindLayers {
  const QkBlocks* blocks = nullptr;
  TokenGrid grid;
  std::vector<const LayerStatistics*> layers;
  std::vector<Hub> hubs;
};

double MeanFlow(const LayerStatistics& layer, TokenGroup from, TokenGroup to) {
  double sum = 0;
  for (int64_t h = 0; h < layer.heads; ++h) {
    const size_t row = static_cast<size_t>(h) * kQueryGroups + static_cast<size_t>(from);
    sum += layer.flow_mean[row * kKeyGroups + static_cast<size_t>(to)];
  }
  return sum / static_cast<double>(layer.heads);
}

class TokensMaking {
 public:
  explicit TokensMaking(const SectionInput& input) : input_(input) {
    const QkDescription& description = input.store.description();
    size_t count = 0, done = 0;
    for (const QkBlocks& blocks : description.blocks) count += blocks.layers.size();
    for (const QkBlocks& blocks : description.blocks) {
      KindLayers& kind = kinds_.emplace_back();
      kind.blocks = &blocks;
      kind.grid = description.token_grid(blocks);
      for (size_t i = 0; i < blocks.layers.size(); ++i) {
        kind.layers.push_back(&input.statistics(blocks.kind, i));
        if (!blocks.layers[i].has(QkExtra::kWovNorm)) lengths_everywhere_ = false;
        if (input.progress)
          input.progress(static_cast<double>(++done) / static_cast<double>(count));
      }
      kind.hubs = FindHubs(input.store, kind.layers);
      layers_.insert(layers_.end(), kind.layers.begin(), kind.layers.end());
      hubs_.insert(hubs_.end(), kind.hubs.begin(), kind.hubs.end());
    }
  }

  Section Make() {
    section_.name = "tokens";
    section_.title = "Special tokens, hubs and the first picture";
    const QkDescription& description = input_.store.description();
    section_.tables = {FlowTable(layers_, description), HubsTable(hubs_, description),
                       SinksTable(layers_, hubs_, description)};
    AddFlow();
    AddHubs();
    AddMaps();
    Find();
    if (!lengths_everywhere_ && !hubs_.empty()) {
      section_.notes.emplace_back(
          "The lengths of what values add are not part of this export, so that sinks which add "
          "nothing cannot be told from those that do. An export made by this version has them.");
    } else if (!hubs_.empty()) {
      section_.notes.emplace_back(
          "Lengths tell which hubs add nearly nothing. Whether another one broadcasts, adding one "
          "direction to all queries, takes the value vectors, which exports do not hold.");
    }
    return std::move(section_);
  }

 private:
  // Global blocks, or the first kind.
  const KindLayers& main() const {
    for (const KindLayers& kind : kinds_) {
      if (kind.blocks->kind == BlockKind::kGlobal) return kind;
    }
    return kinds_.front();
  }

  static std::vector<double> Numbers(const KindLayers& kind) {
    std::vector<double> numbers;
    for (const LayerStatistics* layer : kind.layers) {
      numbers.push_back(static_cast<double>(layer->layer_index + 1));
    }
    return numbers;
  }

  // One panel for each group of queries that there is, one line a group of keys.
  void AddFlow() {
    const KindLayers& kind = main();
    const GroupFlow uniform = UniformFlow(kind.blocks->attends, kind.grid);
    Chart chart;
    chart.name = "flow";
    chart.title =
        fmt::format("Where groups of tokens look, {} blocks", BlockKindName(kind.blocks->kind));
    for (size_t q = 0; q < kQueryGroups; ++q) {
      if (std::isnan(uniform[q][0])) continue;
      const auto from = static_cast<TokenGroup>(q);
      LinePanel panel{.title = fmt::format("From {}", TokenGroupName(from)),
                      .x_label = "layer",
                      .y_label = "mass (share)",
                      .y_low = 0,
                      .y_high = 1};
      for (size_t k = 0; k < kKeyGroups; ++k) {
        if (uniform[q][k] == 0) continue;  // keys that these queries do not meet
        const auto to = static_cast<TokenGroup>(k);
        ChartSeries series{.label = std::string("to ") + TokenGroupName(to),
                           .colour = static_cast<int>(k),
                           .x = Numbers(kind)};
        for (const LayerStatistics* layer : kind.layers) {
          series.y.push_back(MeanFlow(*layer, from, to));
        }
        panel.series.push_back(std::move(series));
      }
      chart.panels.emplace_back(std::move(panel));
    }
    chart.caption = fmt::format(
        "The mass that queries of a group give to a group of keys, the mean over them and over "
        "heads: softmax over all keys, after RoPE. Lines of a panel add up to 1. A patch's own "
        "picture counts as own even if it is the first; of special tokens the own picture is the "
        "one whose they are. Queries of special tokens are all there are; rows of patches: {}.",
        section_.tables[0].sample);
    section_.charts.push_back(std::move(chart));
  }

  void AddHubs() {
    Chart chart;
    chart.name = "hubs";
    chart.title = "Keys that draw much more than their share, and the first picture";
    LinePanel gini{.title = "Unevenness of the keys' mass",
                   .x_label = "layer",
                   .y_label = "Gini coefficient",
                   .y_low = 0,
                   .y_high = 1};
    LinePanel hubs{.title = "Hubs", .x_label = "layer", .y_label = "hubs a head"};
    for (const KindLayers& kind : kinds_) {
      const int colour = static_cast<int>(kind.blocks->kind);
      ChartSeries uneven{
          .label = BlockKindName(kind.blocks->kind), .colour = colour, .x = Numbers(kind)};
      ChartSeries count = uneven;
      for (const LayerStatistics* layer : kind.layers) {
        double sum = 0;
        const auto tokens = static_cast<size_t>(layer->grid.tokens());
        for (int64_t h = 0; h < layer->heads; ++h) {
          sum += Gini(std::span(layer->key_mass).subspan(static_cast<size_t>(h) * tokens, tokens));
        }
        uneven.y.push_back(sum / static_cast<double>(layer->heads));
        const auto of_layer =
            std::count_if(kind.hubs.begin(), kind.hubs.end(),
                          [&](const Hub& hub) { return hub.layer_index == layer->layer_index; });
        count.y.push_back(static_cast<double>(of_layer) / static_cast<double>(layer->heads));
      }
      gini.series.push_back(std::move(uneven));
      hubs.series.push_back(std::move(count));
    }
    chart.panels = {std::move(gini), std::move(hubs)};
    chart.caption = fmt::format(
        "Unevenness: the Gini coefficient of the keys' mean probabilities, 0 if all are equal; of "
        "few sampled rows it is larger than of all. Hubs: keys with at least {:g} times the "
        "probability of uniform attention, and in sum that of {:g} whole queries.",
        kHubFactor, kHubQueries);
    if (const auto reference = ReferencePanel()) {
      chart.panels.emplace_back(*reference);
      chart.caption +=
          " The first picture: of the mass that patches of other pictures give to patches of "
          "pictures not their own, its part.";
    }
    chart.caption +=
        fmt::format(" Lines are means over heads. Rows: {}.", section_.tables[2].sample);
    section_.charts.push_back(std::move(chart));
  }

  // The mean over heads; NaN where queries meet no other picture.
  double OthersFirst(const KindLayers& kind, const LayerStatistics& layer) const {
    double sum = 0;
    for (int64_t h = 0; h < layer.heads; ++h) {
      sum += ReferenceOf(layer, kind.blocks->attends, h).others;
    }
    return sum / static_cast<double>(layer.heads);
  }

  std::optional<LinePanel> ReferencePanel() const {
    const KindLayers& kind = main();
    const ReferenceEffect uniform = ReferenceOf(*kind.layers[0], kind.blocks->attends, 0);
    // Of two pictures the first is all that there is beside the own one.
    if (!std::isfinite(uniform.others) || kind.grid.frames < 3) return std::nullopt;
    ChartSeries series{.label = BlockKindName(kind.blocks->kind), .x = Numbers(kind)};
    for (const LayerStatistics* layer : kind.layers) series.y.push_back(OthersFirst(kind, *layer));
    LinePanel panel{.title = "Other pictures' mass on the first",
                    .x_label = "layer",
                    .y_label = "share of that on others",
                    .y_low = 0};
    panel.series.push_back(std::move(series));
    panel.levels.emplace_back(uniform.others_uniform, "uniform");
    return panel;
  }

  // The layer whose special tokens look at patches most.
  size_t MapLayer(const KindLayers& kind) const {
    size_t best = 0;
    double most = -1;
    for (size_t i = 0; i < kind.layers.size(); ++i) {
      double mass = 0;
      for (const TokenGroup to :
           {TokenGroup::kFirstPatches, TokenGroup::kOtherPatches, TokenGroup::kOwnPatches}) {
        mass += MeanFlow(*kind.layers[i], TokenGroup::kFirstCamera, to);
      }
      if (mass > most) {
        most = mass;
        best = i;
      }
    }
    return best;
  }

  // A row of panels for each special token of picture 0, one panel a picture.
  void AddMaps() {
    const KindLayers& kind = main();
    const int64_t tokens = std::min(kind.grid.special_tokens, kMostMapTokens);
    const bool alone = kind.blocks->attends != Attends::kAll;
    const int64_t pictures = alone ? 1 : std::min(kind.grid.frames, kMostMapPictures);
    if (tokens == 0 || !input_.picture || !input_.source.store) return;
    const AttentionRows rows(input_.source.store->file, input_.source.root);
    const size_t layer = MapLayer(kind);
    Chart chart;
    chart.name = "special_tokens";
    chart.title =
        fmt::format("Where special tokens of picture 0 look, {} layer {}",
                    BlockKindName(kind.blocks->kind), kind.layers[layer]->layer_index + 1);
    chart.columns = static_cast<int>(pictures);
    std::vector<std::vector<float>> maps;
    std::vector<std::span<const float>> parts;
    for (int64_t token = 0; token < tokens; ++token) {
      AttentionRequest request;
      request.kind = kind.blocks->kind;
      request.layers = {layer};
      request.reduction = HeadReduction::kMean;
      request.tokens = {token};
      const AttentionAnswer answer = rows.Answer(request, input_.stop_check);
      chart.row_names.push_back(kind.blocks->special_tokens[static_cast<size_t>(token)]);
      for (int64_t picture = 0; picture < pictures; ++picture) {
        const std::span<const float> patches = answer.Patches(0, 0, picture);
        std::vector<float>& map = maps.emplace_back(patches.begin(), patches.end());
        const auto keys =
            static_cast<float>(alone ? kind.grid.tokens_per_frame() : kind.grid.tokens());
        for (float& value : map) value *= keys;  // in units of uniform attention
      }
    }
    for (const std::vector<float>& map : maps) parts.emplace_back(map);
    CellColours colours;
    colours.colormap = Colormap::kInferno;
    colours.opacity = kMapOpacity;
    colours.range = {0, StatsOf(parts).p99, false};
    for (size_t i = 0; i < maps.size(); ++i) {
      const auto picture = i % static_cast<size_t>(pictures);
      MapPanel panel{.picture = input_.picture(picture),
                     .map = std::move(maps[i]),
                     .shade = kMapShade,
                     .colours = colours,
                     .unit = "× uniform",
                     .bar = picture + 1 == static_cast<size_t>(pictures)};
      if (i == picture) panel.title = fmt::format("Picture {}", picture);
      chart.panels.emplace_back(std::move(panel));
    }
    chart.caption = fmt::format(
        "Rows of attention of special tokens of picture 0, softmax over all keys, after RoPE, mean "
        "over heads, in the layer whose camera token gives patches the most; 1 is what uniform "
        "attention gives. One scale for all, up to the 99th percentile.{}{}",
        pictures < kind.grid.frames && !alone
            ? fmt::format(" The first {} of {} pictures.", pictures, kind.grid.frames)
            : "",
        tokens < kind.grid.special_tokens
            ? fmt::format(" The first {} of {} special tokens.", tokens, kind.grid.special_tokens)
            : "");
    section_.charts.push_back(std::move(chart));
  }

  void Find() {
    for (const KindLayers& kind : kinds_) FindHubsOf(kind);
    const KindLayers& kind = main();
    const auto from = kind.grid.frames > 1 ? TokenGroup::kOtherPatches : TokenGroup::kFirstPatches;
    const LayerStatistics* most = nullptr;
    double largest = -1;
    for (const LayerStatistics* layer : kind.layers) {
      double mass = 0;
      for (const TokenGroup to :
           {TokenGroup::kFirstCamera, TokenGroup::kOtherCameras, TokenGroup::kRegisters}) {
        mass += MeanFlow(*layer, from, to);
      }
      if (mass > largest) {
        largest = mass;
        most = layer;
      }
    }
    if (kind.grid.all_specials() > 0) {
      const double uniform =
          static_cast<double>(kind.grid.all_specials()) / static_cast<double>(kind.grid.tokens());
      section_.findings.push_back(fmt::format(
          "Patches give special tokens most in {} layer {}: {} of their mass, {:.1f} times that of "
          "uniform attention.",
          BlockKindName(kind.blocks->kind), most->layer_index + 1, PercentText(largest),
          largest / uniform));
    }
    FindReference(kind);
  }

  void FindHubsOf(const KindLayers& kind) {
    const char* name = BlockKindName(kind.blocks->kind);
    if (kind.hubs.empty()) {
      section_.findings.push_back(
          fmt::format("No key of {} blocks draws {:g} times its share of any head's attention.",
                      name, kHubFactor));
      return;
    }
    int64_t special = 0, no_op = 0;
    for (const Hub& hub : kind.hubs) {
      special += kind.grid.is_special(hub.token);
      no_op += hub.type == SinkType::kNoOp;
    }
    const Hub& top = *std::max_element(
        kind.hubs.begin(), kind.hubs.end(),
        [](const Hub& a, const Hub& b) { return a.over_uniform < b.over_uniform; });
    std::string text = fmt::format(
        "In {} blocks, keys draw {:g} times their share or more {} times, {} of them special "
        "tokens; most of all {} in layer {}, head {} ({:.0f} times).",
        name, kHubFactor, kind.hubs.size(), special, TokenText(*kind.blocks, kind.grid, top.token),
        top.layer_index + 1, top.head + 1, top.over_uniform);
    if (top.type != SinkType::kUnknown) {
      text += fmt::format(" {} of {} add nearly nothing (no-op sinks).", no_op, kind.hubs.size());
    }
    section_.findings.push_back(text);
  }

  void FindReference(const KindLayers& kind) {
    const ReferenceEffect uniform = ReferenceOf(*kind.layers[0], kind.blocks->attends, 0);
    if (!std::isfinite(uniform.others) || kind.grid.frames < 3) return;
    double sum = 0;
    for (const LayerStatistics* layer : kind.layers) sum += OthersFirst(kind, *layer);
    section_.findings.push_back(fmt::format(
        "Of what other pictures' patches give to patches of pictures not their own, {} goes to the "
        "first picture, the mean over {} layers and heads; uniform attention gives {}.",
        PercentText(sum / static_cast<double>(kind.layers.size())),
        BlockKindName(kind.blocks->kind), PercentText(uniform.others_uniform)));
  }

  const SectionInput& input_;
  std::vector<KindLayers> kinds_;
  std::vector<const LayerStatistics*> layers_;
  std::vector<Hub> hubs_;
  bool lengths_everywhere_ = true;
  Section section_;
};

}  // namespace

Section TokensSection(const SectionInput& input) { return TokensMaking(input).Make(); }

}  // namespace vggt
