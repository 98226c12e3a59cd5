// SPDX-License-Identifier: Apache-2.0
// Rows of attention from keys that are stored as float16: products, norms, exponentials. Serial;
// callers share out the rows.
#pragma once

#include <cstdint>

namespace vggt {

// out[i] = first · keys[i, 0 … first_dim) + second[i] · keys[i, first_dim …), i < count. keys
// [count, first_dim + second_dim] as float16; second[i] stands second_stride floats on from the one
// before (0: it is the same for all). Sums are float32.
void DotHalves(const float* first, int64_t first_dim, const float* second, int64_t second_dim,
               int64_t second_stride, const uint16_t* keys, int64_t count, float* out);

// out[i] = |keys[i]|², keys [count, dim] as float16.
void SquaredNorms(const uint16_t* keys, int64_t count, int64_t dim, float* out);

// The largest of x[0 … count) and `least`; NaN is not looked for.
float LargestOf(const float* x, int64_t count, float least);

// False if one of x is infinite or not a number.
bool RowIsFinite(const float* x, int64_t count);

// x[i] = exp(x[i] - shift), relative error below 1e-6; returns their sum. Values that are more than
// 87 below the shift become about 1e-38.
double Exponentiate(float* x, int64_t count, float shift);

// x[i] = exp(x[i] - shifts[i]), likewise, for any sign.
void ExponentiateEach(float* x, const float* shifts, int64_t count);

// out[i] += x[i] · factor.
void AddScaled(const float* x, int64_t count, float factor, float* out);

// out[i] = max(out[i], x[i]).
void TakeLarger(const float* x, int64_t count, float* out);

}  // namespace vggt
