// SPDX-License-Identifier: Apache-2.0
// One transformer block.
#pragma once

#include <functional>
#include <vector>

#include "backend/cpu/parameters.h"
#include "backend/cpu/workspace.h"
#include "model/observer.h"
#include "ops/rope.h"

namespace vggt {

// Where all tokens stand, for rotary position embedding.
struct TokenPositions {
  RopeTable table;
  std::vector<int32_t> yx;  // [tokens, 2]

  // The spec is not kNone. `periods`: [head_dim / 4], of kDinov3.
  TokenPositions(const RotarySpec& rope, int64_t head_dim, const TokenGrid& grid,
                 const FloatBuffer& periods);
};

// What is to be seen of a block while it runs. Each may be empty.
struct BlockWatch {
  std::function<void(const QueriesKeys&)> unrotated;     // as stores hold them (model/observer.h)
  std::function<void(const QueriesKeys&)> queries_keys;  // after both
  std::function<void(const BlockOutput&)> output;        // after the block, if it is whole
};

// Runs the block on x [tokens of the grid, dim], in place. `positions` is null where the block has
// no rotary embedding. If the block ends at its queries and keys, x stays as it is. The workspace
// is of the block's precision. Returns false, with x as it is and nothing shown, if a query or key
// is NaN, infinite, or so large that their products may not be finite: a softmax may make plausible
// numbers of such logits.
[[nodiscard]] bool RunBlock(const BlockSpec& spec, const BlockParameters& block,
                            const TokenGrid& grid, float* x, const TokenPositions* positions,
                            const BlockWatch& watch, Workspace& workspace);

}  // namespace vggt
