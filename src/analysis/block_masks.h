// SPDX-License-Identifier: Apache-2.0
// Masks of blocks of queries by blocks of keys, as block-sparse attention makes them (arXiv
// 2509.07120).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vggt {

// A row of a block mask keeps its most probable blocks: as many as it takes for a share `cdf` of
// the block probabilities, and at least ⌊blocks · (1 - ratio)⌋, and at least one.
struct BlockMaskRule {
  double cdf = 0, ratio = 1;

  bool operator==(const BlockMaskRule&) const = default;
};

// Patches in a block, in the order of the sequence.
inline constexpr int64_t kMaskQueries = 128, kMaskKeys = 64;

// The mask [query blocks, key blocks] of one group and head for each rule: means of the queries and
// keys of each block (after RoPE), softmax of their products times `scale` over the key blocks.
// queries [n, dim], keys [m, dim], patches alone; a last block may have fewer. (The mask of
// block-sparse global attention, arXiv 2509.07120.)
std::vector<std::vector<uint8_t>> BlockMasks(std::span<const float> queries,
                                             std::span<const float> keys, int64_t dim, double scale,
                                             std::span<const BlockMaskRule> rules);

}  // namespace vggt
