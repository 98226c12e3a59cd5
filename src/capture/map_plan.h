// SPDX-License-Identifier: Apache-2.0
// Which rows and columns of the global attention matrix make the classic first-to-all maps.
#pragma once

#include <cstdint>
#include <vector>

#include "core/block_kind.h"
#include "core/token_grid.h"
#include "store/maps/layer_maps.h"

namespace vggt {

struct MapPlan {
  std::vector<int32_t> rows;  // queries: patches of frame 0
  std::vector<int32_t> keys;  // patches of every frame
  int64_t seen = 0;           // how many of the keys, the first ones, the queries see
  int64_t map_height = 0, map_width = 0;

  MapExtents extents(int64_t heads, int64_t frames) const {
    return {static_cast<int64_t>(rows.size()), heads, frames, map_height, map_width};
  }
};

// Queries and keys at every stride_h-th row and stride_w-th column, from the first on; strides ≥ 1.
// Special tokens and the patches in between are left out. `attends`: of the model's global blocks.
MapPlan MakeMapPlan(const TokenGrid& grid, int64_t stride_h, int64_t stride_w,
                    Attends attends = Attends::kAll);

}  // namespace vggt
