// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (RoPE) in two dimensions, as in VGGT's vggt/layers/rope.py and in
// DINOv3.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "core/token_grid.h"

namespace vggt {

// Which channels of a head are rotated together. Those of an axis are a half of the head: y's are
// the first head_dim/2 (kInAxis), or the first and the third quarter (kAcross). Channels i and
// i + head_dim/4, or i and i + head_dim/2, form a pair, whose angle is that of i in its quarter.
enum class RopePairs { kInAxis, kAcross };

// Cosines and sines of angles, in radians, i < head_dim/4, for every position from 0 on.
class RopeTable {
 public:
  // The angles position · base^(-i / (head_dim/4)) up to max_position, in pairs kInAxis. head_dim:
  // a multiple of 4.
  RopeTable(int64_t head_dim, int32_t max_position, double base = 100);
  // Any angles [positions, head_dim/4]. Position 0 is not looked at: it is no rotation.
  RopeTable(int64_t head_dim, const std::vector<double>& angles, RopePairs pairs);

  int64_t head_dim() const { return 4 * quarter_; }
  RopePairs pairs() const { return pairs_; }
  // head_dim/4 values each.
  const float* cosines(int32_t position) const { return cos_.data() + position * quarter_; }
  const float* sines(int32_t position) const { return sin_.data() + position * quarter_; }

 private:
  int64_t quarter_;
  RopePairs pairs_ = RopePairs::kInAxis;
  FloatBuffer cos_, sin_;
};

// The position (y, x) of every token of a grid, [tokens, 2], as RopeSpec (core/block_kind.h)
// defines it: special tokens have (0, 0); the patches begin at (first_patch, first_patch).
std::vector<int32_t> RopePositions(const TokenGrid& grid, int64_t first_patch);

// Rotates x [tokens, heads, head_dim] in place, on all threads; tokens are `token_stride` values
// apart. `positions` is [tokens, 2]: y and x of each token. A token at (0, 0) stays as it is.
void Rope(const RopeTable& table, int64_t tokens, int64_t heads, int64_t token_stride,
          const int32_t* positions, float* x);

}  // namespace vggt
