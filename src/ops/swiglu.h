// SPDX-License-Identifier: Apache-2.0
// The gate of an MLP with SwiGLU (Shazeer, arXiv:2002.05202).
#pragma once

#include <cstdint>

namespace vggt {

// y [rows, width] = silu(a) · b, where a and b are the first and the second half of each row of
// x [rows, 2 · width] and silu(a) = a / (1 + e^-a). In float32 and on all threads; bfloat16 (as
// bits) is rounded at the end. y and x do not overlap.
void SwiGlu(int64_t rows, int64_t width, const float* x, float* y);
void SwiGlu(int64_t rows, int64_t width, const uint16_t* x, uint16_t* y);

}  // namespace vggt
