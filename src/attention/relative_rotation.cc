// SPDX-License-Identifier: Apache-2.0
#include "attention/relative_rotation.h"

#include <cstdlib>
#include <cstring>

namespace vggt {

RelativeRotation::RelativeRotation(const QkBlocks& blocks, const TokenGrid& grid,
                                   std::shared_ptr<const RopeTable> table)
    : height_(grid.height),
      width_(grid.width),
      head_dim_(blocks.head_dim),
      first_dim_(blocks.head_dim / 2),
      first_patch_(static_cast<int32_t>(blocks.rope.first_patch)),
      table_(std::move(table)),
      special_(head_dim_),
      rows_(height_ * first_dim_),
      columns_(width_ * second_dim()) {}

// Channel i pairs with channel i + half/2.
void RelativeRotation::Turn(const float* half, int32_t by, float* out) const {
  const int64_t quarter = first_dim_ / 2;
  const float* cosines = table_->cosines(std::abs(by));
  const float* sines = table_->sines(std::abs(by));
  const float sign = by < 0 ? -1.0F : 1.0F;
  for (int64_t i = 0; i < quarter; ++i) {
    const float a = half[i], b = half[i + quarter], sine = sign * sines[i];
    out[i] = a * cosines[i] - b * sine;
    out[i + quarter] = b * cosines[i] + a * sine;
  }
}

void RelativeRotation::Set(const float* query, TokenPosition position) {
  const float* second = query + first_dim_;
  if (table_ == nullptr) {
    std::memcpy(special_.data(), query, head_dim_ * sizeof(float));
    for (int64_t r = 0; r < height_; ++r) {
      std::memcpy(rows_.data() + r * first_dim_, query, first_dim_ * sizeof(float));
    }
    for (int64_t c = 0; c < width_; ++c) {
      std::memcpy(columns_.data() + c * second_dim(), second, second_dim() * sizeof(float));
    }
    return;
  }
  Turn(query, position.y, special_.data());
  Turn(second, position.x, special_.data() + first_dim_);
  for (int64_t r = 0; r < height_; ++r) {
    Turn(query, position.y - first_patch_ - static_cast<int32_t>(r), rows_.data() + r * first_dim_);
  }
  for (int64_t c = 0; c < width_; ++c) {
    Turn(second, position.x - first_patch_ - static_cast<int32_t>(c),
         columns_.data() + c * first_dim_);
  }
}

}  // namespace vggt
