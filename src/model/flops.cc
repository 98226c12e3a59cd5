// SPDX-License-Identifier: Apache-2.0
#include "model/flops.h"

namespace vggt {

double BlockFlops(const BlockSpec& block, const TokenGrid& grid) {
  const auto tokens = static_cast<double>(grid.tokens());
  const double dense = 2 * tokens * block.weights();
  if (!block.rest) return dense;
  // q · kᵀ, and its product with v.
  const auto channels = static_cast<double>(block.heads * block.head_dim);
  return dense + 4 * tokens * block.keys_per_query(grid) * channels;
}

double ForwardFlops(const ModelPlan& plan, int64_t frames, int64_t grid_height,
                    int64_t grid_width) {
  const auto patches = static_cast<double>(frames * grid_height * grid_width);
  double flops = 2 * patches * static_cast<double>(plan.projection.in * plan.projection.out);
  for (const StageSpec& stage : plan.stages) {
    const TokenGrid grid{frames, stage.special_tokens(), grid_height, grid_width};
    for (const BlockSpec& block : stage.blocks) flops += BlockFlops(block, grid);
  }
  return flops;
}

}  // namespace vggt
