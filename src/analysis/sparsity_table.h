// SPDX-License-Identifier: Apache-2.0
// What sparse attention would keep, as tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "analysis/report_table.h"
#include "analysis/sparsity.h"

namespace vggt {

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

}  // namespace vggt
