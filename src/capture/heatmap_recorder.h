// SPDX-License-Identifier: Apache-2.0
// Records the classic maps during a forward pass, a layer at a time.
#pragma once

#include <functional>

#include "capture/background_job.h"
#include "capture/query_plan.h"
#include "model/observer.h"

namespace vggt {

// While a background thread quantises and hands on one layer, the model computes the next; a third
// waits. Two layers of probabilities are in memory at most.
class HeatmapRecorder : public AttentionObserver {
 public:
  // Takes a finished layer (a global block, counted from 0) on the background thread.
  using Sink = std::function<void(int64_t layer, const LayerMaps& maps)>;

  // `layers` tells for each global block whether it is wanted.
  HeatmapRecorder(QueryPlan plan, const MapExtents& extents, bool per_head,
                  std::vector<bool> layers, Sink sink);

  // What the sink threw is rethrown by the next call of any of these.
  const AttentionProbe* Probe(int64_t layer) override;
  void OnLayer(int64_t layer) override;
  // Waits until every layer has been handed on.
  void Finish();

  // Time the background thread has worked.
  double busy_seconds() const { return background_.busy_seconds(); }

 private:
  const QueryPlan plan_;
  const MapExtents extents_;
  const bool per_head_;
  const std::vector<bool> layers_;
  const Sink sink_;

  AttentionProbe probe_;
  FloatBuffer recording_, finished_;  // [queries, heads, keys] or [queries, keys]
  BackgroundJob background_;          // works on `finished_`
};

}  // namespace vggt
