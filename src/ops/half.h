// SPDX-License-Identifier: Apache-2.0
// IEEE binary16, given as its bits: rounded to nearest, ties to even, whatever the instruction set.
#pragma once

#include <cstdint>

namespace vggt {

// Rounds x [tokens, heads, head_dim], `token_stride` values from one token to the next, and sorts
// it by heads: out [heads, tokens, head_dim]. On all threads. False if a value is infinite or NaN,
// or so large that it becomes infinite (65520 and above).
bool HeadsToF16(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
                const float* x, uint16_t* out);

}  // namespace vggt
