// SPDX-License-Identifier: Apache-2.0
#include "artifact/quantize.h"

#include <algorithm>

namespace vggt {

void Quantize(const float* x, int64_t count, double vmax, uint8_t* out) {
  const auto scale = static_cast<float>(vmax + 1e-8);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float share = std::min(std::max(x[i] / scale, 0.0F), 1.0F);
    out[i] = static_cast<uint8_t>(static_cast<int32_t>(share * 255.0F + 0.5F));
  }
}

}  // namespace vggt
