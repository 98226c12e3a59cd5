// SPDX-License-Identifier: Apache-2.0
// Kernels that compute each row by itself. Those with a uint16_t result compute in float32 and
// round to bfloat16 (as bits) at the end, to nearest, ties to even. Results depend neither on the
// instruction set nor on the number of threads.
#pragma once

#include <cstdint>

namespace vggt {

// y = (x - mean) / sqrt(variance + eps) · weight + bias for each row of x [rows, cols], on all
// threads; `weight` and `bias` are [cols]. A float32 y may be x itself.
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, float* y);
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, uint16_t* y);

// LayerNorm over the channels of each head, in place. x is [tokens, heads, head_dim]; its tokens
// are `token_stride` values apart. `weight` and `bias` are [head_dim], the same for all heads.
void LayerNormHeads(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride, float* x,
                    const float* weight, const float* bias, float eps);

// y[i] = scale · x[i], i < count, on the calling thread. Returns whether all of x is finite. A
// float32 y may be x itself.
bool ScaleFinite(const float* x, int64_t count, float scale, float* y);
bool ScaleFinite(const float* x, int64_t count, float scale, uint16_t* y);

// Whether all values of x [rows, cols] have a magnitude below `limit`, which NaN has not; rows are
// `stride` values apart. On the calling thread.
bool AllBelow(int64_t rows, int64_t cols, int64_t stride, const float* x, float limit);

// Whether none of x[0 … count) is infinite or NaN. On all threads.
bool AllFinite(const float* x, int64_t count);

}  // namespace vggt
