// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/sine_positions.h"

#include <cmath>

#include "core/parallel.h"

namespace vggt {
namespace {

// [cells, half]: of one direction, in which the picture's side is `side` of its half diagonal.
FloatBuffer Sines(int64_t cells, int64_t half, double side) {
  const int64_t quarter = half / 2;
  const auto n = static_cast<double>(cells);
  const double edge = side * (n - 1) / n;
  FloatBuffer out(cells * half);
  for (int64_t cell = 0; cell < cells; ++cell) {
    // A single cell lies at -edge, which is 0.
    const double place = -edge + (cells > 1 ? 2 * edge * static_cast<double>(cell) / (n - 1) : 0.0);
    for (int64_t i = 0; i < quarter; ++i) {
      const double angle =
          place * std::pow(100.0, -static_cast<double>(i) / static_cast<double>(quarter));
      out[cell * half + i] = static_cast<float>(0.1 * std::sin(angle));
      out[cell * half + quarter + i] = static_cast<float>(0.1 * std::cos(angle));
    }
  }
  return out;
}

}  // namespace

SinePositions::SinePositions(MapSize size, int64_t channels, double aspect)
    : size_(size),
      half_(channels / 2),
      across_(Sines(size.cols, half_, aspect / std::hypot(aspect, 1.0))),
      down_(Sines(size.rows, half_, 1 / std::hypot(aspect, 1.0))) {}

void SinePositions::AddTo(int64_t first, int64_t count, float* map) const {
  ParallelFor(count, 1, [&](size_t i) {
    const int64_t row = first + static_cast<int64_t>(i);
    if (row < 0 || row >= size_.rows) return;
    const float* y = down_.data() + row * half_;
    for (int64_t col = 0; col < size_.cols; ++col) {
      float* pixel = map + (static_cast<int64_t>(i) * size_.cols + col) * 2 * half_;
      const float* x = across_.data() + col * half_;
      for (int64_t c = 0; c < half_; ++c) pixel[c] += x[c];
      for (int64_t c = 0; c < half_; ++c) pixel[half_ + c] += y[c];
    }
  });
}

}  // namespace vggt
