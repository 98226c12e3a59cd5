// SPDX-License-Identifier: Apache-2.0
#include "attention/row_rotation.h"

#include <algorithm>
#include <array>

#include "core/parallel.h"

namespace vggt {

TokenPosition PositionOf(const QkBlocks& blocks, const TokenGrid& grid, int64_t token) {
  const int64_t patch = token - grid.special_tokens;
  if (patch < 0) return {};
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
      const uint16_t* from = stored + some[i] * dim;
      float* to = first + static_cast<int64_t>(i) * dim;
      for (int64_t c = 0; c < dim; ++c) to[c] = F16ToF32(from[c]);
      const TokenPosition position = PositionOf(blocks_, grid_, some[i] % grid_.tokens_per_frame());
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

}  // namespace vggt
