// SPDX-License-Identifier: Apache-2.0
// Probabilities as 8-bit levels.
#pragma once

#include <cstdint>

namespace vggt {

// out[i] = trunc(clip(x[i] / (vmax + 1e-8), 0, 1) · 255 + 0.5), in float32 as NumPy computes it.
// Values at vmax and above become 255: all but the largest hundredth keep their order.
void Quantize(const float* x, int64_t count, double vmax, uint8_t* out);

}  // namespace vggt
