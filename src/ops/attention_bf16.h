// SPDX-License-Identifier: Apache-2.0
// Softmax attention whose two products are of bfloat16, twice as fast as of float32 where the
// processor multiplies bfloat16 natively.
#pragma once

#include <cstdint>

#include "ops/attention.h"

namespace vggt {

// As Attention, with a result in bfloat16. q, k, v and the probabilities are rounded to bfloat16 on
// their way into products; sums and the softmax are float32.
// Where ProcessorMultipliesBf16() is false the products are emulated: right, and several times
// slower.
void AttentionBf16(const AttentionShape& shape, const float* q, const float* k, const float* v,
                   uint16_t* out, AttentionWorkspace& workspace);

}  // namespace vggt
