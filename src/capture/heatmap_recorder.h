// SPDX-License-Identifier: Apache-2.0
// Records the classic maps during a forward pass, a layer at a time.
#pragma once

#include <functional>
#include <vector>

#include "capture/query_plan.h"
#include "model/observer.h"

namespace vggt {

// A layer is quantised and handed on as soon as its block is done, on all threads, while the model
// waits. A thread beside the model would take its time from it: matrix products are shared out
// evenly among all processors and end with the slowest. One layer of probabilities is in memory.
class HeatmapRecorder : public AttentionObserver {
 public:
  // Takes a finished layer (a global block, counted from 0).
  using Sink = std::function<void(int64_t layer, const LayerMaps& maps)>;

  // `layers` tells for each global block whether it is wanted.
  HeatmapRecorder(QueryPlan plan, const MapExtents& extents, bool per_head,
                  std::vector<bool> layers, Sink sink);

  const AttentionProbe* Probe(int64_t layer) override;
  // What the sink throws ends the pass.
  void OnLayer(int64_t layer) override;

  // Time taken by quantising and by the sink.
  double busy_seconds() const { return busy_seconds_; }

 private:
  const QueryPlan plan_;
  const MapExtents extents_;
  const bool per_head_;
  const std::vector<bool> layers_;
  const Sink sink_;

  AttentionProbe probe_;
  FloatBuffer probabilities_;  // [queries, heads, keys] or [queries, keys]
  LayerMaps maps_;
  double busy_seconds_ = 0;
};

}  // namespace vggt
