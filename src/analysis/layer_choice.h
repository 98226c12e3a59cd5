// SPDX-License-Identifier: Apache-2.0
// Which of a store's layers stand in for those that a publication names, and what they are called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "store/qk/qk_schema.h"

namespace vggt {

// The place in blocks.layers whose index, from 0, is nearest to `index`; of two, the earlier.
size_t NearestLayer(const QkBlocks& blocks, int64_t index);

// The number of blocks of this kind that the model has: what its provenance says, if the stored
// layers fit, else up to the last stored one.
int64_t DepthOf(const QkDescription& description, const QkBlocks& blocks);

// The layers that lie as deep in this model as `indices`, from 0, in one of `depth` blocks: index i
// becomes i · (DepthOf − 1) / (depth − 1), rounded, and then the nearest that is stored. Ascending,
// each once.
std::vector<size_t> LayersAsDeepAs(const QkDescription& description, const QkBlocks& blocks,
                                   std::span<const int64_t> indices, int64_t depth);

// At most `count` layers, evenly through those that are stored, the first and the last among them.
std::vector<size_t> EvenLayers(const QkBlocks& blocks, size_t count);

// "global layer 23 (index 22)", "global layers 4, 5 and 6 (indices 3, 4 and 5)": both numberings,
// because publications differ. `layers` are places, at least one.
std::string LayersText(const QkBlocks& blocks, std::span<const size_t> layers);
std::string LayerText(const QkBlocks& blocks, size_t layer);

}  // namespace vggt
