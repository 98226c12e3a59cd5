// SPDX-License-Identifier: Apache-2.0
#include "model/memory.h"

namespace vggt {

double ForwardMemoryBytes(const ModelConfig& config, int64_t frames, int64_t grid_height,
                          int64_t grid_width, int64_t last_layer, Precision precision) {
  const auto c = static_cast<double>(config.dim), m = static_cast<double>(config.hidden);
  const double size = precision == Precision::kBf16 ? sizeof(uint16_t) : sizeof(float);
  const double block = 4 * c * c + 2 * c * m, queries_and_keys = 2 * c * c;
  // The last global block ends at q and k.
  const double blocks = static_cast<double>(config.encoder_depth + 2 * (last_layer + 1)) * block -
                        (last_layer < 0 ? 0 : block - queries_and_keys);
  const double tokens = static_cast<double>(frames) *
                        static_cast<double>(grid_height * grid_width + config.special_tokens());
  // Residual stream and q, k, v in float32; a norm's output; keys and values as attention reads
  // them.
  const double of_token = c * (4 * sizeof(float) + size + 2 * size);
  return blocks * size + tokens * of_token;
}

}  // namespace vggt
