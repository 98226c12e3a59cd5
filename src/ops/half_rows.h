// SPDX-License-Identifier: Apache-2.0
// The parts from which a row of attention is computed when keys are stored as float16: products,
// norms, exponentials. All run on the calling thread; callers distribute rows over threads.
#pragma once

#include <cstdint>

namespace vggt {

// out[i] = first · keys[i, 0 … first_dim) + second[i] · keys[i, first_dim …), i < count. `keys` is
// [count, first_dim + second_dim] as float16. `first` is the same for all keys; second[i] begins at
// second + i · second_stride (a stride of 0 gives all keys the same). Sums are float32. A query has
// two halves because RoPE rotates one by y and the other by x (attention/rotation.h).
void DotHalves(const float* first, int64_t first_dim, const float* second, int64_t second_dim,
               int64_t second_stride, const uint16_t* keys, int64_t count, float* out);

// out[i] = x[i], i < count; `x` is float16.
void FromHalves(const uint16_t* x, int64_t count, float* out);

// out[i] = |keys[i]|², i < count; `keys` is [count, dim] as float16.
void SquaredNorms(const uint16_t* keys, int64_t count, int64_t dim, float* out);

// The largest of x[0 … count) and `least`. Undefined if one of them is NaN.
float LargestOf(const float* x, int64_t count, float least);

// Whether none of x[0 … count) is infinite or NaN.
bool RowIsFinite(const float* x, int64_t count);

// x[i] = exp(x[i] - shift), i < count, for x[i] ≤ shift; returns their sum. The relative error of
// each is below 2e-7 + 1e-7 · |x[i] - shift|; differences below -86 give about 2e-38.
double Exponentiate(float* x, int64_t count, float shift);

// x[i] = exp(x[i] - shifts[i]), i < count, as Exponentiate; differences may also be positive, up to
// 87.
void ExponentiateEach(float* x, const float* shifts, int64_t count);

// out[i] += x[i] · factor, i < count.
void AddScaled(const float* x, int64_t count, float factor, float* out);

// out[i] = max(out[i], x[i]), i < count.
void TakeLarger(const float* x, int64_t count, float* out);

}  // namespace vggt
