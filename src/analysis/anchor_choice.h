// SPDX-License-Identifier: Apache-2.0
// Which patches are anchors: keys that all queries keep, besides special tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/token_grid.h"

namespace vggt {

// ⌈share · of⌉, at least 1 and at most `of`; a share of 0.1 of 30 is 3, whatever double arithmetic
// makes of it.
int64_t CountOfShare(double share, int64_t of);

// [tokens]: 1 where a token is kept.
using KeptTokens = std::vector<uint8_t>;

// The special tokens alone.
KeptTokens SpecialTokens(const TokenGrid& grid);

// Those, and of each picture `count` patches, at most all, in rows about as far apart as the
// patches of each.
KeptTokens EvenAnchors(const TokenGrid& grid, int64_t count);

// Those, and the `count` patches of the largest scores, `together` of all pictures, or of each
// picture; of equal ones the first. `scores` [tokens] are numbers.
KeptTokens LargestAnchors(const TokenGrid& grid, std::span<const double> scores, int64_t count,
                          bool together);

}  // namespace vggt
