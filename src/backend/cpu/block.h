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

// x [batch, tokens, dim]: attention runs within each of the batch's sequences.
struct Sequences {
  int64_t batch = 1;
  int64_t tokens = 0;
  float* x = nullptr;
};

// Where the tokens of a frame stand; every frame has the same.
struct TokenPositions {
  RopeTable table;
  std::vector<int32_t> yx;  // [all tokens, 2]
};

// What is to be seen of a block while it runs. Each may be empty.
struct BlockWatch {
  std::function<void(const QueriesKeys&)> unrotated;     // before RoPE, after q/k-norm
  std::function<void(const QueriesKeys&)> queries_keys;  // after both
};

// x += ls1 · attn(norm1 x); x += ls2 · mlp(norm2 x), in place. `positions` is null where the block
// has no rotary embedding. If `block` has no rest, x stays as it is and only q and k are computed.
// The workspace is of the block's precision.
void RunBlock(const BlockParameters& block, const ModelConfig& config, const Sequences& sequences,
              const TokenPositions* positions, const BlockWatch& watch, Workspace& workspace);

}  // namespace vggt
