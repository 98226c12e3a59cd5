// SPDX-License-Identifier: Apache-2.0
// Statistics of layers with made-up numbers.
#pragma once

#include <cmath>

#include "analysis/layer_statistics.h"

namespace vggt::testing {

// Every number is finite and differs from head to head.
inline LayerStatistics MadeStatistics(BlockKind kind, int64_t layer_index, int64_t heads = 3,
                                      int64_t frames = 2) {
  LayerStatistics s;
  s.kind = kind;
  s.layer_index = layer_index;
  s.grid = {frames, 1, 2, 3};
  s.heads = heads;
  s.sample = AllRows(s.grid);
  const auto at = [](double seed) { return 0.5 + 0.4 * std::sin(seed); };
  for (size_t metric = 0; metric < kHeadMetrics; ++metric) {
    for (int64_t head = 0; head < heads; ++head) {
      s.mean.push_back(at(3.0 * static_cast<double>(metric) + 7.0 * static_cast<double>(head) +
                          static_cast<double>(layer_index)));
      s.standard_error.push_back(0);
    }
    s.uniform.push_back(at(static_cast<double>(metric)));
  }
  s.frame_mass.assign(static_cast<size_t>(heads * frames * (frames + 1)),
                      1.0F / static_cast<float>(frames + 1));
  s.flow_mean.assign(static_cast<size_t>(heads) * kQueryGroups * kKeyGroups, 1.0F / 6);
  s.flow_largest = s.flow_mean;
  s.key_mass.assign(static_cast<size_t>(heads * s.grid.tokens()),
                    1.0F / static_cast<float>(s.grid.tokens()));
  return s;
}

}  // namespace vggt::testing
