// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/bilinear.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/tensor.h"

namespace vggt {
namespace {

// Two neighbouring samples and their weights.
struct Between {
  int64_t low, high;
  float low_weight, high_weight;
};

Between SamplesAt(int64_t at, int64_t from, int64_t to) {
  const double step =
      static_cast<double>(from - 1) / static_cast<double>(std::max<int64_t>(to - 1, 1));
  const double place = static_cast<double>(at) * step;
  const int64_t low = std::min(static_cast<int64_t>(place), from - 1);
  const double part = place - static_cast<double>(low);
  return {low, std::min(low + 1, from - 1), static_cast<float>(1 - part), static_cast<float>(part)};
}

// y = a · a_weight + b · b_weight
void Mix(int64_t count, const float* __restrict a, float a_weight, const float* __restrict b,
         float b_weight, float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] * a_weight + b[i] * b_weight;
}

}  // namespace

void ResizeRows(MapSize from, MapSize to, int64_t channels, const float* x, int64_t first,
                int64_t count, float* y) {
  const int64_t row_values = from.cols * channels;
  ParallelFor(count, 1, [&](size_t i) {
    const int64_t row = first + static_cast<int64_t>(i);
    float* out = y + static_cast<int64_t>(i) * to.cols * channels;
    if (row < 0 || row >= to.rows) {
      std::fill_n(out, to.cols * channels, 0.0F);
      return;
    }
    const Between down = SamplesAt(row, from.rows, to.rows);
    FloatBuffer mixed(row_values);  // this row of the result, not yet resized in x
    Mix(row_values, x + down.low * row_values, down.low_weight, x + down.high * row_values,
        down.high_weight, mixed.data());
    for (int64_t col = 0; col < to.cols; ++col) {
      const Between across = SamplesAt(col, from.cols, to.cols);
      Mix(channels, mixed.data() + across.low * channels, across.low_weight,
          mixed.data() + across.high * channels, across.high_weight, out + col * channels);
    }
  });
}

}  // namespace vggt
