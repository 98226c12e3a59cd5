// SPDX-License-Identifier: Apache-2.0
// Stored queries and keys of one head as float32, turned by their rotary embedding.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/token_grid.h"
#include "ops/rope.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// Where a token stands in the rotary embedding. Special tokens stand at (0, 0).
struct TokenPosition {
  int32_t y = 0, x = 0;
};

// `token`: its place among the tokens of its frame.
TokenPosition PositionOf(const QkBlocks& blocks, const TokenGrid& grid, int64_t token);

// The angles of all positions that occur in a frame; null if nothing is to be rotated, because the
// blocks have no such embedding or what was before it is wanted.
std::shared_ptr<const RopeTable> RotationTable(const QkBlocks& blocks, const TokenGrid& grid,
                                               bool before_rope);

// Any number of threads may use one rotation at the same time.
class RowRotation {
 public:
  RowRotation(const QkBlocks& blocks, const TokenGrid& grid, bool before_rope);

  // out [tokens.size(), head_dim]: the rows `tokens` of `stored` [tokens of all frames, head_dim],
  // float16 as its bits. On all threads; inside a body of ParallelFor on that thread alone.
  void Rotate(const uint16_t* stored, std::span<const int64_t> tokens, float* out) const;
  FloatBuffer Rotated(const uint16_t* stored, std::span<const int64_t> tokens) const;

 private:
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  std::shared_ptr<const RopeTable> table_;
};

}  // namespace vggt
