// SPDX-License-Identifier: Apache-2.0
// A head has four quarters of channels. Two of them hold the pairs that y rotates, two those that x
// rotates (RopePairs), so each axis is one loop over head_dim/4 pairs, which the compiler
// vectorises. All heads of a token share its angles; a task takes tokens, not heads. Special tokens
// have the position (0, 0), a rotation by 0, and are skipped.
#include "ops/rope.h"

#include <cmath>

#include "core/parallel.h"

namespace vggt {
namespace {

constexpr size_t kGrain = 32;  // tokens that a thread takes at a time

// Rotates the pairs (x[i], x[i + apart]), i < quarter ≤ apart.
void RotateAxis(int64_t quarter, const float* cosines, const float* sines, int64_t apart,
                float* x) {
#pragma omp simd
  for (int64_t i = 0; i < quarter; ++i) {
    const float a = x[i], b = x[i + apart];
    x[i] = a * cosines[i] - b * sines[i];
    x[i + apart] = b * cosines[i] + a * sines[i];
  }
}

}  // namespace

RopeTable::RopeTable(int64_t head_dim, int32_t max_position, double base)
    : quarter_(head_dim / 4),
      cos_((max_position + 1) * quarter_),
      sin_((max_position + 1) * quarter_) {
  for (int32_t p = 0; p <= max_position; ++p) {
    for (int64_t i = 0; i < quarter_; ++i) {
      const double exponent = -static_cast<double>(i) / static_cast<double>(quarter_);
      // VGGT rounds the angle to float32 before it takes the cosine.
      const float angle = static_cast<float>(p * std::pow(base, exponent));
      cos_[p * quarter_ + i] = std::cos(angle);
      sin_[p * quarter_ + i] = std::sin(angle);
    }
  }
}

RopeTable::RopeTable(int64_t head_dim, const std::vector<double>& angles, RopePairs pairs)
    : quarter_(head_dim / 4), pairs_(pairs), cos_(angles.size()), sin_(angles.size()) {
  for (size_t i = 0; i < angles.size(); ++i) {
    cos_[i] = static_cast<float>(std::cos(angles[i]));
    sin_[i] = static_cast<float>(std::sin(angles[i]));
  }
}

std::vector<int32_t> RopePositions(const TokenGrid& grid, int64_t first_patch) {
  std::vector<int32_t> positions(2 * grid.tokens(), 0);
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    int32_t* to = positions.data() + 2 * grid.first_patch(frame);
    for (int64_t row = 0; row < grid.height; ++row) {
      for (int64_t column = 0; column < grid.width; ++column) {
        *to++ = static_cast<int32_t>(row + first_patch);
        *to++ = static_cast<int32_t>(column + first_patch);
      }
    }
  }
  return positions;
}

void Rope(const RopeTable& table, int64_t tokens, int64_t heads, int64_t token_stride,
          const int32_t* positions, float* x) {
  const int64_t quarter = table.head_dim() / 4;
  const bool across = table.pairs() == RopePairs::kAcross;
  const int64_t apart = across ? 2 * quarter : quarter, of_x = across ? quarter : 2 * quarter;
  ParallelFor(static_cast<size_t>(tokens), kGrain, [&, x](size_t t) {
    const int32_t y_position = positions[2 * t], x_position = positions[2 * t + 1];
    if (y_position == 0 && x_position == 0) return;
    float* head = x + t * token_stride;
    for (int64_t h = 0; h < heads; ++h, head += 4 * quarter) {
      RotateAxis(quarter, table.cosines(y_position), table.sines(y_position), apart, head);
      RotateAxis(quarter, table.cosines(x_position), table.sines(x_position), apart, head + of_x);
    }
  });
}

}  // namespace vggt
