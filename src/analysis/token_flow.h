// SPDX-License-Identifier: Apache-2.0
// What special tokens and outstanding patches do: how attention flows between groups of tokens,
// which keys draw much more than their share, what those add, and how far the first picture leads.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/layer_statistics.h"
#include "analysis/report_table.h"
#include "store/qk/qk_store.h"

namespace vggt {

// "first camera", "other cameras", "registers", "patches of the first picture", "patches of other
// pictures", "patches of the own picture". Models whose first special token is no camera have it
// under the same names.
const char* TokenGroupName(TokenGroup group);

// [kQueryGroups][kKeyGroups]: the share that each group has of the keys of a query, the mean over
// the queries of a group: what flow_mean is of uniform attention. NaN where there are no queries.
// Scene tokens are among the registers that are keys.
using GroupFlow = std::array<std::array<double, kKeyGroups>, kQueryGroups>;
GroupFlow UniformFlow(Attends attends, const TokenGrid& grid);

// [frames]: what a key of a frame gets of uniform attention, as LayerStatistics::key_mass counts
// it. 1 / tokens, for scene tokens too, but for causal attention, which more queries of early
// frames' keys meet.
std::vector<double> UniformKeyMass(Attends attends, const TokenGrid& grid);

// 0 if all values are equal, near 1 if one has everything: Σ_i Σ_j |x_i − x_j| / (2 n Σ x). NaN of
// no values, or if their sum is 0.
double Gini(std::span<const float> values);

// What a key that draws much adds to the output, as far as lengths alone tell (the two kinds are
// those of "attention sinks", arXiv 2606.08105). That a sink broadcasts, adding one direction to
// all queries, cannot be told from lengths: it takes the vectors.
enum class SinkType {
  kUnknown,  // the store has no lengths of values
  kNoOp,     // ‖W_O v‖ is at most 0.1 of the head's median: attending here adds nearly nothing
  kNotNoOp,  // it is more: the key may broadcast
};
// "unknown", "no-op", "not no-op: broadcast candidate".
const char* SinkTypeName(SinkType type);

struct Hub {
  BlockKind kind = BlockKind::kGlobal;
  int64_t layer_index = 0, head = 0, token = 0;  // from 0; the token in the sequence of all
  double mass = 0;                               // LayerStatistics::key_mass
  double over_uniform = 0;                       // divided by that of uniform attention
  SinkType type = SinkType::kUnknown;
  double length_ratio = 0;  // ‖W_O v‖ of it / the median over the head's keys; NaN if not known
  // mass · ‖W_O v‖ / Σ_j of the same: its share of the summed lengths of what is added, which
  // bounds the length of the sum from above. NaN if not known.
  double length_share = 0;
};

// Keys of all heads whose mass is at least `factor` times that of uniform attention, and in sum
// over the sample's queries that of kHubQueries whole queries, so that no single query of a sample
// makes a hub; the largest first. `lengths` [heads, tokens]: ‖W_O v‖, or ‖v‖, or empty. Throws
// Error if they are too few.
inline constexpr double kHubFactor = 10, kHubQueries = 3;
std::vector<Hub> FindHubs(const LayerStatistics& layer, Attends attends,
                          std::span<const float> lengths = {}, double factor = kHubFactor);

// Of layers of one store, with ‖W_O v‖ of those that have it there, layer after layer. Throws Error
// like QkStore::Extras.
std::vector<Hub> FindHubs(const QkStore& store, std::span<const LayerStatistics* const> layers);

// How far the patches of the first picture, whose axes are the world's, draw those of all pictures.
// Special tokens do not count. NaN if there is one picture, or queries meet their own alone.
struct ReferenceEffect {
  double all = 0, all_uniform = 0;        // of the mass on patches, that of picture 0
  double others = 0, others_uniform = 0;  // of other pictures' queries, their own picture left out
};
ReferenceEffect ReferenceOf(const LayerStatistics& layer, Attends attends, int64_t head);

// The layers of all kinds of blocks, one after another; those that could not be computed may be
// missing.
// "flow": one row a layer and pair of groups, mean and largest over heads; array of all heads.
ReportTable FlowTable(std::span<const LayerStatistics* const> layers,
                      const QkDescription& description);
// "hubs": one row a hub, at most `most`, the largest first.
ReportTable HubsTable(std::span<const Hub> hubs, const QkDescription& description,
                      size_t most = 1000);
// "sinks": one row a layer and head: Gini coefficient, hubs, the first picture's share.
ReportTable SinksTable(std::span<const LayerStatistics* const> layers, std::span<const Hub> hubs,
                       const QkDescription& description);

// "camera of picture 0", "patch (3, 17) of picture 2", "scale"; everything from 0.
std::string TokenText(const QkBlocks& blocks, const TokenGrid& grid, int64_t token);

}  // namespace vggt
