// SPDX-License-Identifier: Apache-2.0
// Conversion of float32 to float16 (IEEE binary16, as bits). It rounds to nearest, ties to even,
// and gives the same bits on every instruction set.
#pragma once

#include <cstdint>

namespace vggt {

// Rounds x [tokens, heads, head_dim], whose tokens are `token_stride` values apart, and writes it
// head by head: out [heads, tokens, head_dim], contiguous. Runs on all threads. Returns false if a
// value is infinite or NaN, or has a magnitude of 65520 or more, which rounds to infinity.
bool HeadsToF16(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
                const float* x, uint16_t* out);

}  // namespace vggt
