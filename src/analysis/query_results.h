// SPDX-License-Identifier: Apache-2.0
// What one pass over a head's rows keeps of each query, and what of it becomes the head's numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "analysis/head_metrics.h"
#include "analysis/layer_statistics.h"
#include "analysis/row_sample.h"
#include "core/token_grid.h"

namespace vggt {

// The metrics that a single row has.
inline constexpr size_t kRowMetrics = static_cast<size_t>(HeadMetric::kMutualShare);

// The queries of a frame are its special tokens and then the patches of the sample. A head's
// results take the place of those of the head before.
class QueryResults {
 public:
  // `mutual`: whether `best` is filled, which takes all rows of at least two frames.
  QueryResults(const TokenGrid& grid, const RowSample& sample, bool mutual);

  // Where a query's results stand, by its frame and its place among the frame's queries.
  size_t QueryAt(int64_t frame, int64_t place) const {
    return static_cast<size_t>(frame * per_frame_ + place);
  }
  TokenGroup GroupOf(int64_t frame, int64_t place) const;
  // Of `frame_mass`: each frame's patches, then all special tokens and scene tokens.
  size_t columns() const { return static_cast<size_t>(grid_.frames + 1); }

  // Means over queries, their standard errors, and what is largest, as LayerStatistics says them;
  // all but the key masses and the similarity of rows. Results that are NaN are left out of means.
  void AddTo(int64_t head, LayerStatistics& statistics) const;

  // In the order of queries. Metrics and masses of frames are read for patches alone.
  std::vector<std::array<double, kRowMetrics>> metrics;
  std::vector<float> frame_mass, before_rope;  // [queries, columns()]
  std::vector<int32_t> best;  // [queries, frames]: the patch with the largest probability
  std::vector<std::array<float, kKeyGroups>> flow_mass, flow_largest;

 private:
  template <typename Visit>
  void ForEachPatchQuery(int64_t frame, const Visit& visit) const;
  void AddMeans(int64_t head, LayerStatistics& statistics) const;
  void AddFrames(int64_t head, LayerStatistics& statistics) const;
  void AddFlow(int64_t head, LayerStatistics& statistics) const;
  double StandardError(size_t metric) const;
  double MutualShare() const;

  TokenGrid grid_;
  bool all_, mutual_;
  int64_t specials_, per_frame_;
};

}  // namespace vggt
