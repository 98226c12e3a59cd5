// SPDX-License-Identifier: Apache-2.0
#include "capture/map_plan.h"

#include <iterator>

namespace vggt {

MapPlan MakeMapPlan(const TokenGrid& grid, int64_t stride_h, int64_t stride_w, Attends attends) {
  MapPlan plan;
  plan.map_height = (grid.height + stride_h - 1) / stride_h;
  plan.map_width = (grid.width + stride_w - 1) / stride_w;
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    for (int64_t y = 0; y < grid.height; y += stride_h) {
      for (int64_t x = 0; x < grid.width; x += stride_w) {
        plan.keys.push_back(static_cast<int32_t>(grid.patch(frame, y, x)));
      }
    }
  }
  plan.rows.assign(plan.keys.begin(), plan.keys.begin() + plan.map_height * plan.map_width);
  plan.seen = std::ssize(attends == Attends::kAll ? plan.keys : plan.rows);
  return plan;
}

}  // namespace vggt
