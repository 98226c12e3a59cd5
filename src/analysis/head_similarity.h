// SPDX-License-Identifier: Apache-2.0
// Which heads look where one head looks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention/tiles.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Jensen–Shannon distance of two heads' rows (Lin 1991; Endres and Schindelin 2003): the square
// root of ½ KL(p‖m) + ½ KL(q‖m) in bits, m = (p + q) / 2; scipy.spatial.distance.jensenshannon with
// base 2. A metric from 0 (equal rows) to 1 (rows without a common key). Its mean over
// SimilarityQueries.
struct HeadDistance {
  size_t layer = 0;  // a place in the layers of that kind
  int head = 1;      // from 1
  double distance = 0;
};

// The queries whose rows are compared, as places in the sequence of all tokens: the same 4 patches
// of each picture, evenly spaced, and fewer where there would be more than 32; of more than 32
// pictures, one patch of each of 32.
std::vector<int64_t> SimilarityQueries(const TokenGrid& grid);

// What is compared, in a sentence or two.
std::string SimilarityDefinition(const TokenGrid& grid);

// All other heads of `head`'s kind of blocks, nearest first; equal ones in the order of layers and
// heads. Heads that cannot be read (HeadTiles) are left out; throws Error if `head` is one. The
// softmax is over all keys, after RoPE. On all threads; the result does not depend on their number.
// `stop_check` is asked for each head.
std::vector<HeadDistance> SimilarHeads(const QkStore& store, const HeadRef& head,
                                       const StopCheck& stop_check = {});

}  // namespace vggt
