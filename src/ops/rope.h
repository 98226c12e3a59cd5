// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding in two dimensions, as VGGT has it (vggt/layers/rope.py).
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "core/token_grid.h"

namespace vggt {

// Cosines and sines of the angles position · base^(-i / (head_dim/4)), i < head_dim/4, for every
// position that occurs.
class RopeTable {
 public:
  // head_dim: a multiple of 4; positions run over [0, max_position].
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
// defines it: special tokens stand at (0, 0), patches from (first_patch, first_patch) on.
std::vector<int32_t> RopePositions(const TokenGrid& grid, int64_t first_patch);

// Rotates x [tokens, heads, head_dim] in place, on all threads; `token_stride` values from one
// token to the next. positions [tokens, 2]: (y, x) of each token. The first half of a head's
// channels turns with y, the second with x; inside a half, channel i pairs with channel i +
// head_dim/4.
void Rope(const RopeTable& table, int64_t tokens, int64_t heads, int64_t token_stride,
          const int32_t* positions, float* x);

}  // namespace vggt
