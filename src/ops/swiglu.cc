// SPDX-License-Identifier: Apache-2.0
#include "ops/swiglu.h"

#include <cmath>

#include "core/parallel.h"
#include "core/tensor.h"

namespace vggt {
namespace {

constexpr size_t kGatedRows = 8;  // that a thread takes at a time

float Gated(float a, float b) { return a / (1 + std::exp(-a)) * b; }

}  // namespace

void SwiGlu(int64_t rows, int64_t width, const float* x, float* y) {
  ParallelFor(rows, kGatedRows, [=](size_t row) {
    const float* a = x + 2 * width * row;
    for (int64_t c = 0; c < width; ++c) y[width * row + c] = Gated(a[c], a[width + c]);
  });
}

void SwiGlu(int64_t rows, int64_t width, const uint16_t* x, uint16_t* y) {
  ParallelFor(rows, kGatedRows, [=](size_t row) {
    const uint16_t* a = x + 2 * width * row;
    for (int64_t c = 0; c < width; ++c) {
      y[width * row + c] = F32ToBF16(Gated(BF16ToF32(a[c]), BF16ToF32(a[width + c])));
    }
  });
}

}  // namespace vggt
