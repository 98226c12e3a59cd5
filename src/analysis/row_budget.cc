// SPDX-License-Identifier: Apache-2.0
#include "analysis/row_budget.h"

#include <algorithm>
#include <cmath>

#include "core/token_grid.h"

namespace vggt {

double StatisticsProducts(const QkDescription& description, int64_t rows) {
  double products = 0;
  for (const QkBlocks& blocks : description.blocks) {
    const TokenGrid grid = description.token_grid(blocks);
    const auto frames = static_cast<double>(grid.frames);
    const double queries = static_cast<double>(std::min(rows, grid.patches()) + blocks.specials());
    const double key_frames = blocks.attends == Attends::kAll      ? frames
                              : blocks.attends == Attends::kCausal ? (frames + 1) / 2
                                                                   : 1;
    const double keys = key_frames * static_cast<double>(grid.tokens_per_frame()) +
                        static_cast<double>(grid.scene_tokens);
    const double of_head = frames * queries * keys * static_cast<double>(blocks.head_dim) *
                           (blocks.rope.type == RopeType::k2d ? 2 : 1);
    products +=
        of_head * static_cast<double>(blocks.heads) * static_cast<double>(blocks.layers.size());
  }
  return products;
}

RowSample RowsWithin(const QkDescription& description, double products) {
  const TokenGrid grid = description.token_grid(description.blocks.front());
  if (StatisticsProducts(description, grid.patches()) <= products) return AllRows(grid);
  const double fixed = StatisticsProducts(description, 0);
  const double each = StatisticsProducts(description, 1) - fixed;
  const double fitting = std::floor((products - fixed) / each);
  return SampledRows(grid, std::max(kLeastRows, static_cast<int64_t>(std::max(fitting, 0.0))));
}

}  // namespace vggt
