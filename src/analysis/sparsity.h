// SPDX-License-Identifier: Apache-2.0
// What would be left of a layer's attention if most of it were not computed: how much of each
// query's mass lies on the keys that a rule keeps.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "analysis/block_masks.h"
#include "analysis/layer_statistics.h"
#include "analysis/row_sample.h"
#include "core/block_kind.h"
#include "core/parallel.h"
#include "core/token_grid.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Which keys are kept. Special tokens are always kept, but for kTop. Blocks and anchors are made of
// patches.
enum class SparsityRule {
  kTop,            // of each query the keys of the largest probability: no rule keeps more mass
  kBlocks,         // a mask of blocks of queries by blocks of keys, from their means
  kGrid,           // every s-th patch of every s-th grid row, and the query's own token
  kOwnPicture,     // the query's own picture
  kRandomAnchors,  // patches drawn at random, as many of each picture
  kEvenAnchors,    // patches evenly spaced, the same of each picture
  kOwnAnchors,     // of each picture the patches that its own patches look at most
  kColumnAnchors,  // the patches that all look at most: of all rows, what anchors keep at best
};
inline constexpr size_t kSparsityRules = 8;

struct SparsityRuleInfo {
  SparsityRule rule;
  const char* name;        // in tables: "anchors-random"
  const char* label;       // where people read: "random anchors"
  const char* definition;  // in a sentence or two, with its source
};
// All of them, in the order of the enumeration.
std::span<const SparsityRuleInfo, kSparsityRules> SparsityRules();

struct SparsityOptions {
  // Of the keys, ascending, in (0, 1]; of n keys ⌈share · n⌉ are kept.
  std::vector<double> shares = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};
  std::vector<BlockMaskRule> blocks = {{0.5, 0.9}, {0.7, 0.9}, {0.9, 0.9}, {0.97, 0.9},
                                       {0, 0.9},   {0, 0.75},  {0, 0.5},   {0, 0.25}};
  std::vector<int64_t> strides = {2, 3, 4};
  // Of the patches of a picture, in (0, 1], rounded up.
  std::vector<double> anchors = {0.05, 0.1, 0.2, 0.3};
  uint64_t seed = 1;  // of kRandomAnchors
  int draws = 16;     // of kRandomAnchors, at least 1, whose mean is told
  size_t mask = 2;    // the place in `blocks` of the mask that is handed out
};

// What one rule in one setting keeps, each [heads], means over the sample's queries.
struct SparsityOutcome {
  SparsityRule rule = SparsityRule::kTop;
  std::string setting;       // "5 %", "CDF 0.9, ratio 0.5", "every 2nd", ""
  std::vector<double> kept;  // the share of the keys; 1 - kept is the sparsity
  std::vector<double> mass;  // Σ of the kept keys' probabilities
  // The same of probabilities times the lengths that the keys' values add to the output, divided by
  // their sum; kTop then takes the largest of these. Empty if the lengths are not known.
  std::vector<double> weighted_mass;
  // Of anchors: of the mass that patches give to patches of other pictures, the anchors' share.
  // Empty for other rules, NaN if there is no such mass.
  std::vector<double> cross_mass;
  // Of random anchors: the standard deviation, from draw to draw, of the mean mass of all heads.
  // NaN of a single draw and for other rules.
  double draw_deviation = std::numeric_limits<double>::quiet_NaN();
};

struct LayerSparsity {
  BlockKind kind = BlockKind::kGlobal;
  int64_t layer_index = 0;  // from 0
  TokenGrid grid;
  int64_t heads = 0;
  RowSample sample;
  // Of which rows the kept share and mass of rules are whose keys are the same for all queries: the
  // sample, or that of the statistics.
  RowSample column_sample;
  std::vector<SparsityOutcome> outcomes;  // rule after rule, in the order of the options
  // [heads]: the mean share of the keys, the largest first, that hold 90 % of a query's mass.
  std::vector<double> keys_for_90;
  // [heads, groups, query blocks, key blocks]: 1 where the mask of SparsityOptions::mask keeps a
  // block. Queries that attend to the same keys are a group: all, or those of a frame. Blocks
  // beyond those of a group are 0.
  std::vector<uint8_t> block_mask;
  std::vector<int64_t> mask_shape;
};

// One pass over the sampled rows of a layer, softmax over all keys, after RoPE; heads are shared
// out to the threads, and the result does not depend on their number. `layer` is a place in the
// layers of that kind. `lengths` [heads, tokens]: ‖W_O v‖ of each key, or empty. Throws like
// HeadTiles::ForEachRowBlock; Error if options are out of range or the lengths are too few.
//
// With the layer's `statistics`, what does not depend on single queries is taken from those, which
// are usually of all rows: the mass that kGrid (but for the queries themselves), kOwnPicture and
// anchors keep, and the choice of anchors. Weighted and cross masses are always of the sample.
// Without them and of a sample, few rows would choose themselves as anchors: one half of the sample
// chooses those of the other.
LayerSparsity ComputeLayerSparsity(const QkStore& store, BlockKind kind, size_t layer,
                                   const RowSample& sample, std::span<const float> lengths = {},
                                   const SparsityOptions& options = {},
                                   const StopCheck& stop_check = {},
                                   const LayerStatistics* statistics = nullptr);

}  // namespace vggt
