// SPDX-License-Identifier: Apache-2.0
// Rotary embedding without rotating the keys: turning the query by the difference of the two
// positions gives the same product.
#pragma once

#include <cstdint>
#include <memory>

#include "attention/row_rotation.h"
#include "core/tensor.h"

namespace vggt {

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
