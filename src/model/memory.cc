// SPDX-License-Identifier: Apache-2.0
#include "model/memory.h"

#include <algorithm>

namespace vggt {

double ForwardMemoryBytes(const ModelPlan& plan, int64_t frames, int64_t grid_height,
                          int64_t grid_width, Precision precision) {
  const double size = precision == Precision::kBf16 ? sizeof(uint16_t) : sizeof(float);
  double weights = 0;
  int64_t tokens = 0;
  for (const StageSpec& stage : plan.stages) {
    for (const BlockSpec& block : stage.blocks) weights += block.weights();
    const TokenGrid grid{frames, stage.special_tokens(), grid_height, grid_width};
    tokens = std::max(tokens, grid.tokens());
  }
  // Residual stream and q, k, v in float32; a norm's output; keys and values as attention reads
  // them.
  const double of_token = static_cast<double>(plan.dim()) * (4 * sizeof(float) + size + 2 * size);
  return weights * size + static_cast<double>(tokens) * of_token;
}

}  // namespace vggt
