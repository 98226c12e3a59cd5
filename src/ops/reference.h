// SPDX-License-Identifier: Apache-2.0
// Slow twins: each kernel written as its formula, in double precision, on one thread. Only tests
// and benchmarks call them, to compare the fast kernels with them.
#pragma once

#include <cstdint>

#include "ops/attention.h"
#include "ops/attention_probe.h"

namespace vggt::reference {

// y [rows, out] = x [rows, in] · weightᵀ + bias; `weight` is [out, in].
void Linear(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight,
            const float* bias, float* y);
// x · Φ(x), with the error function.
double Gelu(double x);
// The others compute what the functions of the same names in rowwise.h, rope.h (base 100),
// attention.h and attention_probe.h compute.
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               double eps, float* y);
void Rope(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
          const int32_t* positions, float* x);
void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out);
void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe);

}  // namespace vggt::reference
