// SPDX-License-Identifier: Apache-2.0
// Softmax attention whose two matrix products multiply bfloat16.
#pragma once

#include <cstdint>

#include "ops/attention.h"

namespace vggt {

// Computes what Attention computes, with `out` in bfloat16 (as bits). q, k, v and the unnormalised
// probabilities are rounded to bfloat16 (to nearest, ties to even) before they are multiplied; sums
// and the softmax are float32. Runs on the fastest of what the processor has: matrix tiles
// (attention_amx.h) or vectors. Their results differ in the last bits.
void AttentionBf16(const AttentionShape& shape, const float* q, const float* k, const float* v,
                   uint16_t* out, AttentionWorkspace& workspace);

// The same on vectors, for comparisons. Where ProcessorMultipliesBf16() is false, the products are
// emulated, which gives the same result but for the last bits and is several times slower.
void AttentionBf16OnVectors(const AttentionShape& shape, const float* q, const float* k,
                            const float* v, uint16_t* out, AttentionWorkspace& workspace);

}  // namespace vggt
