// SPDX-License-Identifier: Apache-2.0
// Records the classic maps during a forward pass, a layer at a time.
#pragma once

#include <functional>
#include <vector>

#include "capture/map_plan.h"
#include "model/observer.h"
#include "ops/attention_probe.h"

namespace vggt {

// A layer is computed from its queries and keys, quantised and handed on before the block goes on,
// on all threads, while the model waits. A thread beside the model would take its time from it:
// matrix products are shared out evenly among all processors and end with the slowest. Of the
// probabilities only a few heads are in memory, one for every four threads, so that they stay in
// the cache from softmax to levels.
class HeatmapRecorder : public AttentionObserver {
 public:
  // Takes a finished layer (a global block, counted from 0).
  using Sink = std::function<void(int64_t layer, const LayerMaps& maps)>;

  // `layers` tells for each global block whether it is wanted.
  HeatmapRecorder(MapPlan plan, const MapExtents& extents, bool per_head, std::vector<bool> layers,
                  Sink sink);

  // Bytes that a recorder of such maps holds: some heads' probabilities and a layer's levels.
  static double MemoryBytes(const MapExtents& extents, bool per_head);

  // What the sink throws ends the pass.
  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override;

  // Time taken by probabilities, levels and the sink.
  double busy_seconds() const { return busy_seconds_; }

 private:
  // Room for so many.
  float* Probabilities(int64_t size);
  std::vector<float> SampleLayer(const QueriesKeys& qk);
  bool QuantizeLayer(const QueriesKeys& qk, std::vector<float> sample);

  const MapPlan plan_;
  const MapExtents extents_;
  const bool per_head_;
  const std::vector<bool> layers_;
  const Sink sink_;

  AttentionWorkspace workspace_;
  FloatBuffer probabilities_;  // [queries, heads at a time, keys], or of a sample
  LayerMaps maps_;
  double busy_seconds_ = 0;
};

}  // namespace vggt
