// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (RoPE) in two dimensions, as in VGGT's vggt/layers/rope.py.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "core/token_grid.h"

namespace vggt {

// Cosines and sines of the angles position · base^(-i / (head_dim/4)), in radians, for
// i < head_dim/4 and every position in [0, max_position].
class RopeTable {
 public:
  // head_dim: a multiple of 4.
  RopeTable(int64_t head_dim, int32_t max_position, double base = 100);

  int64_t head_dim() const { return 4 * quarter_; }
  // head_dim/4 values each.
  const float* cosines(int32_t position) const { return cos_.data() + position * quarter_; }
  const float* sines(int32_t position) const { return sin_.data() + position * quarter_; }

 private:
  int64_t quarter_;
  FloatBuffer cos_, sin_;
};

// The position (y, x) of every token of a grid, [tokens, 2], as RopeSpec (core/block_kind.h)
// defines it: special tokens have (0, 0); the patches begin at (first_patch, first_patch).
std::vector<int32_t> RopePositions(const TokenGrid& grid, int64_t first_patch);

// Rotates x [tokens, heads, head_dim] in place, on all threads; tokens are `token_stride` values
// apart. `positions` is [tokens, 2]: y and x of each token. The first half of a head's channels is
// rotated by y, the second by x. Within a half, channels i and i + head_dim/4 form the pair that is
// rotated by angle i of the table.
void Rope(const RopeTable& table, int64_t tokens, int64_t heads, int64_t token_stride,
          const int32_t* positions, float* x);

}  // namespace vggt
