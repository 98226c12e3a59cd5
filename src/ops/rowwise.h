// SPDX-License-Identifier: Apache-2.0
// Kernels that treat each row by itself. What is written as bfloat16, given as its bits, is rounded
// to nearest, ties to even, at the very end. Results do not depend on the instruction set.
#pragma once

#include <cstdint>

namespace vggt {

// y = (x - mean) / sqrt(variance + eps) · weight + bias over each row of x [rows, cols], on all
// threads. A float32 y may be x.
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, float* y);
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, uint16_t* y);

// The same over each head, in place: x is [tokens, heads, head_dim] with `token_stride` values from
// one token to the next; weight and bias [head_dim] are shared by the heads.
void LayerNormHeads(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride, float* x,
                    const float* weight, const float* bias, float eps);

// y = scale · x, on this thread. Returns whether all of x is finite. A float32 y may be x.
bool ScaleFinite(const float* x, int64_t count, float scale, float* y);
bool ScaleFinite(const float* x, int64_t count, float scale, uint16_t* y);

// False if any of the values is infinite or NaN. On all threads.
bool AllFinite(const float* x, int64_t count);

}  // namespace vggt
