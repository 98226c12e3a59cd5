// SPDX-License-Identifier: Apache-2.0
#include "analysis/sparsity_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attention/softmax_groups.h"

namespace vggt {
namespace {

double MeanOfHeads(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TableCell MeanCell(const std::vector<double>& values) {
  if (values.empty()) return {};
  return MeanOfHeads(values);
}

std::vector<TableCell> SparsityPlaces(const LayerSparsity& layer) {
  return {std::string(BlockKindName(layer.kind)), layer.layer_index + 1, layer.layer_index};
}

std::vector<TableColumn> PlaceColumns() {
  return {{"block", "", "kind of block"},
          {"layer", "", "which of its kind of block, from 1"},
          {"layer_index", "", "the same from 0"}};
}

std::string SampleOfRows(std::span<const LayerSparsity> layers) {
  return layers.empty() ? "" : SampleText(layers.front().sample, layers.front().grid);
}

}  // namespace

std::string SparsityText() {
  std::string text;
  for (const SparsityRuleInfo& rule : SparsityRules()) {
    text += fmt::format("{}{}: {}.", text.empty() ? "" : " ", rule.name, rule.definition);
  }
  return text;
}

std::string SparsityRows(std::span<const LayerSparsity> layers) {
  if (layers.empty()) return "";
  const LayerSparsity& layer = layers.front();
  if (layer.sample == layer.column_sample) return SampleOfRows(layers);
  return fmt::format("{}; of grids, own picture and anchors {}", SampleOfRows(layers),
                     SampleText(layer.column_sample, layer.grid));
}

std::string ChosenAnchorsText(const LayerSparsity& layer) {
  if (layer.column_sample.all) {
    return "Anchors by column mass are chosen by all rows, which also measure them: no other "
           "anchors, as many in all, keep more of the mean mass of all heads.";
  }
  return "Anchors are chosen by a sample of rows, so that those by column mass are not the best "
         "that anchors can do: of all rows others may keep more.";
}

const QkBlocks& SparsityBlocks(const QkDescription& description) {
  const QkBlocks* global = description.Find(BlockKind::kGlobal);
  return global != nullptr ? *global : description.blocks.front();
}

RowSample SparsitySample(const QkDescription& description, double products) {
  const QkBlocks& blocks = SparsityBlocks(description);
  const TokenGrid grid = description.token_grid(blocks);
  const FrameRange most = AttendedFrames(blocks.attends, grid.frames - 1, grid.frames, false);
  const double each = static_cast<double>(grid.frames) *
                      static_cast<double>(KeyCount(most, grid) * blocks.head_dim * blocks.heads) *
                      static_cast<double>(blocks.layers.size());
  return SampledRows(grid, static_cast<int64_t>(std::clamp(products / each, 2.0, 64.0)));
}

bool KnowsLengths(const QkBlocks& blocks) {
  return std::ranges::all_of(blocks.layers,
                             [](const QkLayer& layer) { return layer.has(QkExtra::kWovNorm); });
}

LayerSparsity ComputeSparsity(const QkStore& store, size_t layer, const RowSample& sample,
                              const SparsityOptions& options, const StopCheck& stop_check,
                              const LayerStatistics* statistics) {
  const QkBlocks& blocks = SparsityBlocks(store.description());
  std::vector<float> lengths;
  if (KnowsLengths(blocks)) lengths = store.Extras(blocks, layer).wov_norm;
  return ComputeLayerSparsity(store, blocks.kind, layer, sample, lengths, options, stop_check,
                              statistics);
}

ReportTable SparsityTable(std::span<const LayerSparsity> layers) {
  ReportTable table;
  table.name = "sparsity";
  table.title = "What sparse attention would keep";
  table.definition =
      "mass: the mean over patch queries and heads of the probability that lies on the keys that a "
      "rule keeps, softmax over all keys, after RoPE, not made to add up to 1 again. Probability "
      "is "
      "a poor proxy of the output, and the store holds no value vectors to tell its error. "
      "weighted_mass weighs each key's probability by the length ‖W_O v‖ of what its value adds, "
      "divided by the query's sum of these; it ignores directions. cross_mass: of the mass that "
      "patches give to patches of other pictures, the anchors' share. sparsity = 1 - kept, of the "
      "rows of patches; ideal_speedup = 1 / kept, of the products alone. Random anchors: means "
      "over draws. weighted_mass, cross_mass and the grid's own tokens are always of the sampled "
      "rows. The rules: " +
      SparsityText();
  if (!layers.empty()) table.definition += " " + ChosenAnchorsText(layers.front());
  table.sample = SparsityRows(layers);
  table.columns = PlaceColumns();
  table.columns.insert(
      table.columns.end(),
      {{"rule", "", "which keys are kept"},
       {"setting", "", "how many of them"},
       {"kept", "share", "share of a query's keys, mean"},
       {"sparsity", "share", "1 - kept"},
       {"ideal_speedup", "", "1 / kept"},
       {"mass", "share", "mass that is kept, mean over heads"},
       {"least_mass", "share", "that of the head that loses most"},
       {"largest_mass", "share", "that of the head that loses least"},
       {"weighted_mass", "share", "mass weighted by lengths, mean over heads; empty if not known"},
       {"cross_mass", "share",
        "anchors' share of the mass between pictures; empty if there is none"},
       {"draw_deviation", "share",
        "of random anchors: standard deviation of mass from draw to draw"}});
  for (const LayerSparsity& layer : layers) {
    for (const SparsityOutcome& outcome : layer.outcomes) {
      const double kept = MeanOfHeads(outcome.kept);
      const auto [least, largest] = std::minmax_element(outcome.mass.begin(), outcome.mass.end());
      std::vector<TableCell> row = SparsityPlaces(layer);
      row.insert(row.end(), {std::string(SparsityRules()[static_cast<size_t>(outcome.rule)].name),
                             outcome.setting, kept, 1 - kept, 1 / kept, MeanOfHeads(outcome.mass),
                             *least, *largest});
      row.push_back(MeanCell(outcome.weighted_mass));
      row.push_back(MeanCell(outcome.cross_mass));
      row.emplace_back();
      if (!std::isnan(outcome.draw_deviation)) row.back() = outcome.draw_deviation;
      table.rows.push_back(std::move(row));
    }
  }
  if (layers.empty()) return table;
  const Shape shape = {std::ssize(layers), std::ssize(layers[0].outcomes), layers[0].heads};
  const auto add = [&](const char* name, const char* text, auto member) {
    ReportArray array{name, "[layers, rules and settings, heads]", text, shape, {}};
    for (const LayerSparsity& layer : layers) {
      for (const SparsityOutcome& outcome : layer.outcomes) {
        const std::vector<double>& values = outcome.*member;
        array.values.insert(array.values.end(), values.begin(), values.end());
      }
    }
    if (std::ssize(array.values) == NumElements(shape)) table.arrays.push_back(std::move(array));
  };
  add("kept_of_heads", "kept, of each head", &SparsityOutcome::kept);
  add("mass_of_heads", "mass, of each head", &SparsityOutcome::mass);
  add("weighted_mass_of_heads", "weighted_mass, of each head", &SparsityOutcome::weighted_mass);
  return table;
}

ReportTable SparsityHeadsTable(std::span<const LayerSparsity> layers) {
  ReportTable table;
  table.name = "sparsity_heads";
  table.title = "How few keys hold a head's mass";
  table.definition =
      "keys_for_90: the mean over patch queries of the least share of the keys that holds 90 % of "
      "a "
      "query's mass. The other columns: the mass that the largest keys of each query hold, by "
      "their "
      "share of all keys.";
  table.sample = SampleOfRows(layers);
  table.columns = PlaceColumns();
  table.columns.insert(table.columns.end(), {{"head", "", "from 1"},
                                             {"head_index", "", "from 0"},
                                             {"keys_for_90", "share", "keys that hold 90 %"}});
  const auto is_top = [](const SparsityOutcome& outcome) {
    return outcome.rule == SparsityRule::kTop;
  };
  if (layers.empty()) return table;
  for (const SparsityOutcome& outcome : layers[0].outcomes) {
    if (!is_top(outcome)) continue;
    std::string name = "top_" + outcome.setting.substr(0, outcome.setting.find(' '));
    table.columns.push_back({name, "share", "mass of the largest " + outcome.setting});
  }
  for (const LayerSparsity& layer : layers) {
    for (int64_t h = 0; h < layer.heads; ++h) {
      const auto head = static_cast<size_t>(h);
      std::vector<TableCell> row = SparsityPlaces(layer);
      row.insert(row.end(), {h + 1, h, layer.keys_for_90[head]});
      for (const SparsityOutcome& outcome : layer.outcomes) {
        if (is_top(outcome)) row.emplace_back(outcome.mass[head]);
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ReportTable BlockMasksTable(std::span<const LayerSparsity> layers, const SparsityOptions& options,
                            int64_t most) {
  ReportTable table;
  table.name = "block_masks";
  table.title = "Masks of blocks of queries by blocks of keys";
  table.columns = PlaceColumns();
  table.columns.push_back({"kept_blocks", "share", "blocks that are kept, mean over heads"});
  if (layers.empty() || options.mask >= options.blocks.size()) return table;
  const BlockMaskRule& rule = options.blocks[options.mask];
  table.definition = fmt::format(
      "{}. CDF {:g}, ratio {:g}. Masks are 1 where a block is kept, else 0; groups are queries "
      "that "
      "attend to the same keys.",
      SparsityRules()[static_cast<size_t>(SparsityRule::kBlocks)].definition, rule.cdf, rule.ratio);
  int64_t blocks = 0;
  for (const LayerSparsity& layer : layers) {
    blocks += std::ssize(layer.block_mask);
    std::vector<TableCell> row = SparsityPlaces(layer);
    const auto kept = std::accumulate(layer.block_mask.begin(), layer.block_mask.end(), int64_t{0});
    row.emplace_back(static_cast<double>(kept) / static_cast<double>(layer.block_mask.size()));
    table.rows.push_back(std::move(row));
  }
  if (blocks > most) {
    table.definition +=
        fmt::format(" The masks themselves have {} blocks and are left out.", blocks);
    return table;
  }
  for (const LayerSparsity& layer : layers) {
    table.arrays.push_back(
        {fmt::format("{}_{:02}", BlockKindName(layer.kind), layer.layer_index + 1),
         "[heads, groups, blocks of queries, blocks of keys]",
         "1 where a block is kept",
         layer.mask_shape,
         {layer.block_mask.begin(), layer.block_mask.end()}});
  }
  return table;
}

}  // namespace vggt
