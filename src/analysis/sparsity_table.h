// SPDX-License-Identifier: Apache-2.0
// What sparse attention would keep, as tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "analysis/report_table.h"
#include "analysis/sparsity.h"

namespace vggt {

// The blocks that a report of sparsity is about: global ones, or the first kind.
const QkBlocks& SparsityBlocks(const QkDescription& description);
// Their rows where nobody chooses: 64 of each picture, or of many pictures fewer, but at least two,
// so that all layers take no more than `products` multiply-adds.
inline constexpr double kSparsityProducts = 2e11;
RowSample SparsitySample(const QkDescription& description, double products = kSparsityProducts);
// Whether all their layers know ‖W_O v‖: lengths help only then.
bool KnowsLengths(const QkBlocks& blocks);
// ComputeLayerSparsity of one of their layers, with lengths if all know them.
LayerSparsity ComputeSparsity(const QkStore& store, size_t layer, const RowSample& sample,
                              const SparsityOptions& options = {}, const StopCheck& stop_check = {},
                              const LayerStatistics* statistics = nullptr);

// "sparsity": one row a layer, rule and setting, means over heads; arrays of all heads. The layers
// are of one kind and one store, computed with the same options.
ReportTable SparsityTable(std::span<const LayerSparsity> layers);

// "sparsity_heads": one row a layer and head: the keys that hold 90 % of the mass, and what the
// largest keys hold.
ReportTable SparsityHeadsTable(std::span<const LayerSparsity> layers);

// "block_masks": one row a layer: the share of blocks that masks keep; arrays of the masks. Without
// arrays if they have more than `most` blocks.
inline constexpr int64_t kMostMaskBlocks = 1 << 24;
ReportTable BlockMasksTable(std::span<const LayerSparsity> layers, const SparsityOptions& options,
                            int64_t most = kMostMaskBlocks);

// All rules with their definitions, in sentences.
std::string SparsityText();
// "64 of 308 patches of each of 6 pictures, evenly spaced; of grids, … all 1,848 patches of …"
std::string SparsityRows(std::span<const LayerSparsity> layers);
// What the choice of anchors means for the rows that were taken, in a sentence.
std::string ChosenAnchorsText(const LayerSparsity& layer);

}  // namespace vggt
