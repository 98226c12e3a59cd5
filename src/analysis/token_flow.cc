// SPDX-License-Identifier: Apache-2.0
#include "analysis/token_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "attention/request.h"
#include "attention/softmax_groups.h"
#include "core/error.h"

namespace vggt {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kNoOpRatio = 0.1;

constexpr const char* kGroupNames[] = {"first camera",
                                       "other cameras",
                                       "registers",
                                       "patches of the first picture",
                                       "patches of other pictures",
                                       "patches of the own picture"};

// How many keys of each group a query of `frame` meets, divided by all that it meets.
std::array<double, kKeyGroups> KeyShares(Attends attends, const TokenGrid& grid, int64_t frame) {
  const FrameRange range = AttendedFrames(attends, frame, grid.frames, false);
  const auto count = static_cast<double>(range.count());
  const double first = range.first == 0 ? 1 : 0;
  const double camera = grid.special_tokens > 0 ? 1 : 0;
  const auto patches = static_cast<double>(grid.patches());
  const double first_other = frame > 0 ? first : 0;  // picture 0, if it is not the own
  std::array<double, kKeyGroups> shares = {
      camera * first,
      camera * (count - first),
      count * (static_cast<double>(grid.special_tokens) - camera) +
          static_cast<double>(grid.scene_tokens),
      first_other * patches,
      (count - 1 - first_other) * patches,
      patches};
  const auto keys = static_cast<double>(KeyCount(range, grid));
  for (double& share : shares) share /= keys;
  return shares;
}

double Median(std::vector<float> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (static_cast<double>(*middle) + *std::max_element(values.begin(), middle)) / 2;
}

std::span<const float> KeysOfHead(std::span<const float> values, const LayerStatistics& layer,
                                  int64_t head) {
  const auto tokens = static_cast<size_t>(layer.grid.tokens());
  return values.subspan(static_cast<size_t>(head) * tokens, tokens);
}

const char* kLayerText = "which of its kind of block, from 1";
const char* kIndexText = "the same from 0";

std::vector<TableCell> LayerCells(BlockKind kind, int64_t layer_index) {
  return {std::string(BlockKindName(kind)), layer_index + 1, layer_index};
}

// Empty where there is no such number.
TableCell CellIf(bool known, int64_t value) {
  if (!known) return {};
  return value;
}

std::string SampleOf(std::span<const LayerStatistics* const> layers) {
  return layers.empty() ? "" : SampleText(layers.front()->sample, layers.front()->grid);
}

}  // namespace

const char* TokenGroupName(TokenGroup group) { return kGroupNames[static_cast<size_t>(group)]; }

const char* SinkTypeName(SinkType type) {
  constexpr const char* kNames[] = {"unknown", "no-op", "not no-op: broadcast candidate"};
  return kNames[static_cast<size_t>(type)];
}

GroupFlow UniformFlow(Attends attends, const TokenGrid& grid) {
  GroupFlow flow;
  for (size_t q = 0; q < kQueryGroups; ++q) {
    const auto group = static_cast<TokenGroup>(q);
    const bool first = group == TokenGroup::kFirstCamera || group == TokenGroup::kFirstPatches;
    const bool others = group == TokenGroup::kOtherCameras || group == TokenGroup::kOtherPatches;
    const int64_t begin = others ? 1 : 0, end = first ? 1 : grid.frames;
    const int64_t specials = group == TokenGroup::kRegisters ? 2 : 1;
    const bool none = begin == end || (q <= static_cast<size_t>(TokenGroup::kRegisters) &&
                                       grid.special_tokens < specials);
    flow[q].fill(none ? kNothing : 0);
    for (int64_t frame = begin; frame < end && !none; ++frame) {
      const std::array<double, kKeyGroups> shares = KeyShares(attends, grid, frame);
      for (size_t k = 0; k < kKeyGroups; ++k) {
        flow[q][k] += shares[k] / static_cast<double>(end - begin);
      }
    }
  }
  return flow;
}

std::vector<double> UniformKeyMass(Attends attends, const TokenGrid& grid) {
  std::vector<double> mass(static_cast<size_t>(grid.frames), 0);
  for (int64_t query = 0; query < grid.frames; ++query) {
    const FrameRange range = AttendedFrames(attends, query, grid.frames, false);
    for (int64_t key = range.first; key < range.last; ++key) {
      mass[static_cast<size_t>(key)] +=
          1.0 / static_cast<double>(grid.frames * KeyCount(range, grid));
    }
  }
  return mass;
}

double Gini(std::span<const float> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  double sum = 0, ranked = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    ranked += (2 * static_cast<double>(i) + 1 - n) * sorted[i];
  }
  return sum > 0 ? ranked / (n * sum) : kNothing;
}

std::vector<Hub> FindHubs(const LayerStatistics& layer, Attends attends,
                          std::span<const float> lengths, double factor) {
  const auto needed = static_cast<size_t>(layer.heads * layer.grid.tokens());
  if (!lengths.empty() && lengths.size() != needed) {
    throw Error(fmt::format("there are {} lengths of values for {} keys", lengths.size(), needed));
  }
  const std::vector<double> uniform = UniformKeyMass(attends, layer.grid);
  const auto queries = static_cast<double>(layer.grid.frames * std::ssize(layer.sample.patches));
  std::vector<Hub> hubs;
  for (int64_t h = 0; h < layer.heads; ++h) {
    const std::span<const float> mass = KeysOfHead(layer.key_mass, layer, h);
    const std::span<const float> length = lengths.empty() ? lengths : KeysOfHead(lengths, layer, h);
    double median = kNothing, added = 0;
    for (size_t j = 0; j < mass.size(); ++j) {
      const auto token = static_cast<int64_t>(j);
      const double expected = layer.grid.is_scene_token(token)
                                  ? uniform.front()
                                  : uniform[token / layer.grid.tokens_per_frame()];
      if (!(mass[j] >= factor * expected && mass[j] * queries >= kHubQueries)) continue;
      Hub hub{layer.kind,         layer.layer_index,  h,        token,   mass[j],
              mass[j] / expected, SinkType::kUnknown, kNothing, kNothing};
      if (!length.empty()) {
        if (std::isnan(median)) {
          median = Median({length.begin(), length.end()});
          added = std::inner_product(mass.begin(), mass.end(), length.begin(), 0.0);
        }
        hub.type = length[j] <= kNoOpRatio * median ? SinkType::kNoOp : SinkType::kNotNoOp;
        hub.length_ratio = length[j] / median;
        hub.length_share = static_cast<double>(mass[j]) * length[j] / added;
      }
      hubs.push_back(hub);
    }
  }
  std::stable_sort(hubs.begin(), hubs.end(),
                   [](const Hub& a, const Hub& b) { return a.over_uniform > b.over_uniform; });
  return hubs;
}

std::vector<Hub> FindHubs(const QkStore& store, std::span<const LayerStatistics* const> layers) {
  std::vector<Hub> all;
  for (const LayerStatistics* layer : layers) {
    const QkBlocks& blocks = BlocksOf(store.description(), layer->kind);
    const auto place = std::ranges::find(blocks.layers, layer->layer_index, &QkLayer::index);
    std::vector<float> lengths;
    if (place->has(QkExtra::kWovNorm)) {
      lengths = store.Extras(blocks, static_cast<size_t>(place - blocks.layers.begin())).wov_norm;
    }
    const std::vector<Hub> hubs = FindHubs(*layer, blocks.attends, lengths);
    all.insert(all.end(), hubs.begin(), hubs.end());
  }
  return all;
}

ReferenceEffect ReferenceOf(const LayerStatistics& layer, Attends attends, int64_t head) {
  ReferenceEffect effect;
  const int64_t frames = layer.grid.frames;
  if (frames == 1 || attends == Attends::kFrame) return {kNothing, kNothing, kNothing, kNothing};
  for (int64_t a = 0; a < frames; ++a) {
    const float* row = layer.frame_mass.data() + (head * frames + a) * (frames + 1);
    const auto met = static_cast<double>(AttendedFrames(attends, a, frames, false).count());
    const double patches = std::accumulate(row, row + frames, 0.0);
    effect.all += row[0] / patches / static_cast<double>(frames);
    effect.all_uniform += 1 / met / static_cast<double>(frames);
    if (a == 0) continue;
    effect.others += row[0] / (patches - row[a]) / static_cast<double>(frames - 1);
    effect.others_uniform += 1 / (met - 1) / static_cast<double>(frames - 1);
  }
  return effect;
}

std::string TokenText(const QkBlocks& blocks, const TokenGrid& grid, int64_t token) {
  if (grid.is_scene_token(token)) return blocks.scene_tokens[token - grid.first_scene_token()];
  const int64_t frame = token / grid.tokens_per_frame();
  const int64_t place = token % grid.tokens_per_frame() - grid.special_tokens;
  if (place < 0) {
    const auto special = static_cast<size_t>(place + grid.special_tokens);
    return fmt::format("{} of picture {}", blocks.special_tokens[special], frame);
  }
  return fmt::format("patch ({}, {}) of picture {}", place / grid.width, place % grid.width, frame);
}

ReportTable FlowTable(std::span<const LayerStatistics* const> layers,
                      const QkDescription& description) {
  ReportTable table;
  table.name = "flow";
  table.title = "Attention between groups of tokens";
  table.definition =
      "mean: the mean over a group's queries and over heads of the mass that they give to a group "
      "of "
      "keys, softmax over all keys, after RoPE; a query's six masses add up to 1. largest: the "
      "largest single probability of any head. uniform: the mass if every key had the same. A "
      "patch's own picture counts as own even if it is the first; of special tokens the own "
      "picture "
      "is the one whose they are. Queries of special tokens are all there are, those of patches "
      "the "
      "sample.";
  table.sample = SampleOf(layers);
  table.columns = {{"block", "", "kind of block"},
                   {"layer", "", kLayerText},
                   {"layer_index", "", kIndexText},
                   {"from", "", "group of queries"},
                   {"to", "", "group of keys"},
                   {"mean", "share", "mean mass, mean over heads"},
                   {"largest", "share", "largest probability of all heads"},
                   {"uniform", "share", "mass if every key had the same"}};
  for (const LayerStatistics* layer : layers) {
    const GroupFlow uniform = UniformFlow(BlocksOf(description, layer->kind).attends, layer->grid);
    for (size_t q = 0; q < kQueryGroups; ++q) {
      for (size_t k = 0; k < kKeyGroups; ++k) {
        double mean = 0, largest = 0;
        for (int64_t h = 0; h < layer->heads; ++h) {
          const size_t at = (static_cast<size_t>(h) * kQueryGroups + q) * kKeyGroups + k;
          mean += layer->flow_mean[at] / static_cast<double>(layer->heads);
          largest = std::max<double>(largest, layer->flow_largest[at]);
        }
        if (std::isnan(mean)) largest = kNothing;
        std::vector<TableCell> row = LayerCells(layer->kind, layer->layer_index);
        row.insert(row.end(), {std::string(kGroupNames[q]), std::string(kGroupNames[k]), mean,
                               largest, uniform[q][k]});
        table.rows.push_back(std::move(row));
      }
    }
  }
  for (const BlockKind kind : kBlockKinds) {
    ReportArray array{std::string("flow_") + BlockKindName(kind),
                      "[layers, heads, from, to]",
                      "mean mass of each head, groups in the order of the table",
                      {},
                      {}};
    int64_t count = 0, heads = 0;
    for (const LayerStatistics* layer : layers) {
      if (layer->kind != kind) continue;
      ++count;
      heads = layer->heads;
      array.values.insert(array.values.end(), layer->flow_mean.begin(), layer->flow_mean.end());
    }
    array.shape = {count, heads, kQueryGroups, kKeyGroups};
    if (count > 0) table.arrays.push_back(std::move(array));
  }
  return table;
}

ReportTable HubsTable(std::span<const Hub> hubs, const QkDescription& description, size_t most) {
  ReportTable table;
  table.name = "hubs";
  table.title = "Keys that draw much more than their share";
  table.definition = fmt::format(
      "Keys whose mean probability over the sample's patch queries is at least {:g} times that of "
      "uniform attention, and in sum that of {:g} whole queries, of each head; {} of {} are "
      "listed, the "
      "largest first. type: no-op if the "
      "length ‖W_O v‖ of what the key's value adds is at most {:g} of the median over the head's "
      "keys; else it is no no-op, and may broadcast one direction to all queries, which lengths "
      "alone cannot decide; unknown if the store has no lengths. length_share: its part of the sum "
      "over keys of mass times length, which bounds the length of the output from above.",
      kHubFactor, kHubQueries, std::min(most, hubs.size()), hubs.size(), kNoOpRatio);
  table.columns = {{"block", "", "kind of block"},
                   {"layer", "", kLayerText},
                   {"layer_index", "", kIndexText},
                   {"head", "", "from 1"},
                   {"head_index", "", "from 0"},
                   {"token", "", "what it is"},
                   {"frame", "", "its picture, from 0; empty for tokens of no picture"},
                   {"row", "", "grid row, from 0; empty for special tokens"},
                   {"column", "", "grid column, from 0; empty for special tokens"},
                   {"mass", "share", "mean probability over the sample's patch queries"},
                   {"over_uniform", "", "the same divided by that of uniform attention"},
                   {"type", "", "what it adds, as far as lengths tell"},
                   {"length_ratio", "", "‖W_O v‖ divided by the median over the head's keys"},
                   {"length_share", "share", "its part of Σ mass · ‖W_O v‖"}};
  std::vector<Hub> sorted(hubs.begin(), hubs.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Hub& a, const Hub& b) { return a.over_uniform > b.over_uniform; });
  sorted.resize(std::min(most, sorted.size()));
  for (const Hub& hub : sorted) {
    const QkBlocks& blocks = BlocksOf(description, hub.kind);
    const TokenGrid grid = description.token_grid(blocks);
    const int64_t patch = hub.token % grid.tokens_per_frame() - grid.special_tokens;
    std::vector<TableCell> row = LayerCells(hub.kind, hub.layer_index);
    const bool is_patch = !grid.is_special(hub.token);
    row.insert(row.end(), {hub.head + 1, hub.head, TokenText(blocks, grid, hub.token)});
    row.push_back(CellIf(!grid.is_scene_token(hub.token), hub.token / grid.tokens_per_frame()));
    row.push_back(CellIf(is_patch, patch / grid.width));
    row.push_back(CellIf(is_patch, patch % grid.width));
    row.insert(row.end(), {hub.mass, hub.over_uniform, std::string(SinkTypeName(hub.type)),
                           hub.length_ratio, hub.length_share});
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable SinksTable(std::span<const LayerStatistics* const> layers, std::span<const Hub> hubs,
                       const QkDescription& description) {
  ReportTable table;
  table.name = "sinks";
  table.title = "How unevenly keys are looked at, and how far the first picture leads";
  table.definition = fmt::format(
      "gini: the Gini coefficient of the keys' mean probabilities, 0 if all are equal; of few "
      "sampled "
      "rows it is larger than of all. hubs: keys with at least {:g} times the probability of "
      "uniform "
      "attention, and in sum that of {:g} whole queries; no_op_hubs: those whose "
      "value "
      "adds at most {:g} of the head's median length (empty if the store has no lengths). "
      "first_share: of the mass that patches give to patches, that of the first picture, the mean "
      "over pictures of queries; others_first_share: the same of the queries of other pictures, "
      "with the mass on their own picture left out.",
      kHubFactor, kHubQueries, kNoOpRatio);
  table.sample = SampleOf(layers);
  table.columns = {{"block", "", "kind of block"},
                   {"layer", "", kLayerText},
                   {"layer_index", "", kIndexText},
                   {"head", "", "from 1"},
                   {"head_index", "", "from 0"},
                   {"gini", "", "Gini coefficient of the keys' mass"},
                   {"hubs", "", "number of hubs"},
                   {"hub_mass", "share", "mass of all hubs together"},
                   {"no_op_hubs", "", "hubs that add nearly nothing"},
                   {"first_share", "share", "mass on the first picture's patches"},
                   {"first_share_uniform", "share", "the same of uniform attention"},
                   {"others_first_share", "share", "the same, between pictures alone"},
                   {"others_first_share_uniform", "share", "the same of uniform attention"}};
  for (const LayerStatistics* layer : layers) {
    const Attends attends = BlocksOf(description, layer->kind).attends;
    for (int64_t h = 0; h < layer->heads; ++h) {
      int64_t count = 0, no_op = 0, known = 0;
      double mass = 0;
      for (const Hub& hub : hubs) {
        if (hub.kind != layer->kind || hub.layer_index != layer->layer_index || hub.head != h)
          continue;
        ++count;
        mass += hub.mass;
        no_op += hub.type == SinkType::kNoOp;
        known += hub.type != SinkType::kUnknown;
      }
      const ReferenceEffect first = ReferenceOf(*layer, attends, h);
      std::vector<TableCell> row = LayerCells(layer->kind, layer->layer_index);
      row.insert(row.end(), {h + 1, h, Gini(KeysOfHead(layer->key_mass, *layer, h)), count, mass});
      row.push_back(CellIf(count == 0 || known > 0, no_op));
      row.insert(row.end(), {first.all, first.all_uniform, first.others, first.others_uniform});
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace vggt
