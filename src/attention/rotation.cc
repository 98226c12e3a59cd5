// SPDX-License-Identifier: Apache-2.0
#include "attention/rotation.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/parallel.h"
#include "ops/half_rows.h"

namespace vggt {

TokenPosition PositionOf(const QkBlocks& blocks, const TokenGrid& grid, int64_t token) {
  if (grid.is_special(token)) return {};
  const int64_t patch = token % grid.tokens_per_frame() - grid.special_tokens;
  const auto first = static_cast<int32_t>(blocks.rope.first_patch);
  return {static_cast<int32_t>(patch / grid.width) + first,
          static_cast<int32_t>(patch % grid.width) + first};
}

std::shared_ptr<const RopeTable> RotationTable(const QkBlocks& blocks, const TokenGrid& grid,
                                               bool before_rope) {
  if (blocks.rope.type != RopeType::k2d || before_rope) return nullptr;
  const int64_t last = blocks.rope.first_patch + std::max(grid.height, grid.width);
  return std::make_shared<const RopeTable>(blocks.head_dim, static_cast<int32_t>(last),
                                           blocks.rope.base);
}

RowRotation::RowRotation(const QkBlocks& blocks, const TokenGrid& grid, bool before_rope)
    : blocks_(blocks), grid_(grid), table_(RotationTable(blocks, grid, before_rope)) {}

void RowRotation::Rotate(const uint16_t* stored, std::span<const int64_t> tokens,
                         float* out) const {
  constexpr size_t kTogether = 64;
  const int64_t dim = blocks_.head_dim;
  ParallelFor((tokens.size() + kTogether - 1) / kTogether, 1, [&](size_t part) {
    const auto some =
        tokens.subspan(part * kTogether, std::min(kTogether, tokens.size() - part * kTogether));
    float* const first = out + static_cast<int64_t>(part * kTogether) * dim;
    std::array<int32_t, 2 * kTogether> positions;
    for (size_t i = 0; i < some.size(); ++i) {
      FromHalves(stored + some[i] * dim, dim, first + static_cast<int64_t>(i) * dim);
      const TokenPosition position = PositionOf(blocks_, grid_, some[i]);
      positions[2 * i] = position.y;
      positions[2 * i + 1] = position.x;
    }
    if (table_ == nullptr) return;
    Rope(*table_, static_cast<int64_t>(some.size()), 1, dim, positions.data(), first);
  });
}

FloatBuffer RowRotation::Rotated(const uint16_t* stored, std::span<const int64_t> tokens) const {
  FloatBuffer out(tokens.size() * static_cast<size_t>(blocks_.head_dim));
  Rotate(stored, tokens, out.data());
  return out;
}

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
