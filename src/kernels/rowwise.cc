// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise.h"

#include <cmath>

#include "core/parallel.h"

namespace vggt {
namespace {

constexpr size_t kGrain = 32;  // rows a thread takes at a time

// The sum of value(c) over [0, count): in kLanes partial sums, which vectorise and lose fewer
// digits than one, in an order that does not depend on the compiler.
template <typename Value>
float Sum(int64_t count, const Value& value) {
  constexpr int64_t kLanes = 16;
  float partial[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) partial[lane] += value(c + lane);
  }
  for (; c < count; ++c) partial[c % kLanes] += value(c);
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) partial[lane] += partial[lane + width];
  }
  return partial[0];
}

// Two passes, as the reference has it: the variance of centred values loses no digits.
void NormalizeRow(int64_t cols, const float* x, const float* weight, const float* bias, float eps,
                  float* y) {
  const auto count = static_cast<float>(cols);
  const float mean = Sum(cols, [=](int64_t c) { return x[c]; }) / count;
  const float squares = Sum(cols, [=](int64_t c) { return (x[c] - mean) * (x[c] - mean); });
  const float scale = 1 / std::sqrt(squares / count + eps);
#pragma omp simd
  for (int64_t c = 0; c < cols; ++c) y[c] = (x[c] - mean) * scale * weight[c] + bias[c];
}

}  // namespace

void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, float* y) {
  ParallelFor(static_cast<size_t>(rows), kGrain,
              [=](size_t r) { NormalizeRow(cols, x + r * cols, weight, bias, eps, y + r * cols); });
}

void LayerNormHeads(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride, float* x,
                    const float* weight, const float* bias, float eps) {
  ParallelFor(static_cast<size_t>(tokens), kGrain, [=](size_t t) {
    float* row = x + t * token_stride;
    for (int64_t h = 0; h < heads; ++h, row += head_dim) {
      NormalizeRow(head_dim, row, weight, bias, eps, row);
    }
  });
}

bool AllFinite(const float* x, int64_t count) {
  // 0 · x is 0 for a finite x and NaN otherwise; a sum keeps the NaN.
  const float sum = Sum(count, [=](int64_t i) { return 0 * x[i]; });
  return sum == 0;
}

}  // namespace vggt
