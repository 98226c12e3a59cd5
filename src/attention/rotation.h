// SPDX-License-Identifier: Apache-2.0
// Rotary embedding of stored queries and keys: turning rows themselves, and turning one query by
// the difference of two positions, which gives the same product without touching the keys.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/tensor.h"
#include "core/token_grid.h"
#include "ops/rope.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// Where a token stands in the rotary embedding. Special tokens stand at (0, 0).
struct TokenPosition {
  int32_t y = 0, x = 0;
};

// `token`: its place among the tokens of its frame, or in the sequence of all.
TokenPosition PositionOf(const QkBlocks& blocks, const TokenGrid& grid, int64_t token);

// The angles of all positions that occur in a frame; null if nothing is to be rotated, because the
// blocks have no such embedding or what was before it is wanted.
std::shared_ptr<const RopeTable> RotationTable(const QkBlocks& blocks, const TokenGrid& grid,
                                               bool before_rope);

// Any number of threads may use one rotation at the same time.
class RowRotation {
 public:
  RowRotation(const QkBlocks& blocks, const TokenGrid& grid, bool before_rope);

  // out [tokens.size(), head_dim]: the rows `tokens` of `stored` [all tokens, head_dim],
  // float16 as its bits. On all threads; inside a body of ParallelFor on that thread alone.
  void Rotate(const uint16_t* stored, std::span<const int64_t> tokens, float* out) const;
  FloatBuffer Rotated(const uint16_t* stored, std::span<const int64_t> tokens) const;

 private:
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  std::shared_ptr<const RopeTable> table_;
};

// For one head of one query at a time: (R_a q)·(R_b k) = (R_{a-b} q)·k. The first half of the
// channels turns with y and the second with x, so that a grid of keys needs one half for each of
// its rows and one for each of its columns.
class RelativeRotation {
 public:
  // `table`: of RotationTable. Without one all halves are those of the query itself.
  RelativeRotation(const QkBlocks& blocks, const TokenGrid& grid,
                   std::shared_ptr<const RopeTable> table);

  // Turns `query` (head_dim floats) of a token at `position` for all keys.
  void Set(const float* query, TokenPosition position);

  int64_t first_dim() const { return first_dim_; }
  int64_t second_dim() const { return head_dim_ - first_dim_; }
  // For special tokens: all channels.
  const float* special() const { return special_.data(); }
  // For the patches of a row; of a column, column by column.
  const float* row(int64_t r) const { return rows_.data() + r * first_dim_; }
  const float* columns() const { return columns_.data(); }

 private:
  void Turn(const float* half, int32_t by, float* out) const;

  int64_t height_, width_, head_dim_, first_dim_;
  int32_t first_patch_;
  std::shared_ptr<const RopeTable> table_;
  FloatBuffer special_, rows_, columns_;
};

}  // namespace vggt
