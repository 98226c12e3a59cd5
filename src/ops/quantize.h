// SPDX-License-Identifier: Apache-2.0
// Quantises probabilities to 8-bit levels.
#pragma once

#include <cstdint>

namespace vggt {

// out[i] = trunc(clip(x[i] / (vmax + 1e-8), 0, 1) · 255 + 0.5), i < count, in float32, with the
// bits that NumPy gives. Values above vmax become 255; for maps vmax is the 99th percentile.
void Quantize(const float* x, int64_t count, double vmax, uint8_t* out);

}  // namespace vggt
