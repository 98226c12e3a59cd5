// SPDX-License-Identifier: Apache-2.0
// Slow twins: each kernel once more as its formula, in double precision, serially. Tests and
// benchmarks compare the fast kernels with these; nothing else calls them.
#pragma once

#include <cstdint>

#include "ops/attention.h"
#include "ops/attention_probe.h"

namespace vggt::reference {

// As Linear::Run, weight [out, in], bias [out].
void Linear(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight,
            const float* bias, float* y);
double Gelu(double x);
void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               double eps, float* y);
void Rope(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
          const int32_t* positions, float* x);
void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out);
void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe);

}  // namespace vggt::reference
