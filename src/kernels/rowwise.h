// SPDX-License-Identifier: Apache-2.0
// Kernels that treat each row by itself.
#pragma once

#include <cstdint>

namespace vggt {

// y = (x - mean) / sqrt(variance + eps) · weight + bias over each row of x [rows, cols], on all
// threads. y may be x.
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, float* y);

// The same over each head, in place: x is [tokens, heads, head_dim] with `token_stride` values from
// one token to the next; weight and bias [head_dim] are shared by the heads.
void LayerNormHeads(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride, float* x,
                    const float* weight, const float* bias, float eps);

// False if any of the values is infinite or NaN.
bool AllFinite(const float* x, int64_t count);

}  // namespace vggt
