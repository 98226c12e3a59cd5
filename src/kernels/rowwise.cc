// SPDX-License-Identifier: Apache-2.0
#include "kernels/rowwise.h"

#include <cmath>

#include "core/parallel.h"

namespace vggt {
namespace {

constexpr size_t kGrain = 32;  // rows a thread takes at a time

// Two passes, as the reference has it: the variance of centred values loses no digits.
void NormalizeRow(int64_t cols, const float* x, const float* weight, const float* bias, float eps,
                  float* y) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < cols; ++c) sum += x[c];
  const float mean = sum / static_cast<float>(cols);
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < cols; ++c) squares += (x[c] - mean) * (x[c] - mean);
  const float scale = 1 / std::sqrt(squares / static_cast<float>(cols) + eps);
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
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += 0 * x[i];
  return sum == 0;
}

}  // namespace vggt
