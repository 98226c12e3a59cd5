// SPDX-License-Identifier: Apache-2.0
#include "capture/query_plan.h"

namespace vggt {

QueryPlan MakeQueryPlan(const TokenLayout& layout, int64_t stride_h, int64_t stride_w) {
  QueryPlan plan;
  plan.map_height = (layout.grid_height + stride_h - 1) / stride_h;
  plan.map_width = (layout.grid_width + stride_w - 1) / stride_w;
  for (int64_t frame = 0; frame < layout.frames; ++frame) {
    const int64_t first = frame * layout.tokens_per_frame() + layout.special_tokens;
    for (int64_t y = 0; y < layout.grid_height; y += stride_h) {
      for (int64_t x = 0; x < layout.grid_width; x += stride_w) {
        plan.keys.push_back(static_cast<int32_t>(first + y * layout.grid_width + x));
      }
    }
  }
  plan.rows.assign(plan.keys.begin(), plan.keys.begin() + plan.map_height * plan.map_width);
  return plan;
}

}  // namespace vggt
