// SPDX-License-Identifier: Apache-2.0
// Records the classic maps during a forward pass, a layer at a time.
#pragma once

#include <vector>

#include "capture/map_plan.h"
#include "model/observer.h"
#include "ops/attention_probe.h"
#include "store/maps/map_writer.h"

namespace vggt {

// A layer's maps are computed from its queries and keys, quantised and written before the block
// goes on, on all threads, while the model waits. A thread beside the model would slow it down:
// matrix products are shared out evenly among all processors and end with the slowest. The
// probabilities of only a few heads are in memory at a time, one head for every four threads, so
// that they stay in the cache from softmax to levels.
class HeatmapRecorder : public AttentionObserver {
 public:
  // `layers` tells for each global block whether it is wanted; these are written with `writer`,
  // which must outlive the recorder.
  HeatmapRecorder(MapPlan plan, const MapExtents& extents, bool per_head, std::vector<bool> layers,
                  MapWriter& writer);

  // Bytes that a recorder of such maps holds: some heads' probabilities and a layer's levels.
  static double MemoryBytes(const MapExtents& extents, bool per_head);

  // What the writer throws ends the pass.
  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override;

  // Time taken by probabilities, levels and writing, in seconds.
  double busy_seconds() const { return busy_seconds_; }

 private:
  // Memory for `size` probabilities, used again by the next call.
  float* Probabilities(int64_t size);
  std::vector<float> SampleLayer(const QueriesKeys& qk);
  bool QuantizeLayer(const QueriesKeys& qk, std::vector<float> sample);

  const MapPlan plan_;
  const MapExtents extents_;
  const bool per_head_;
  const std::vector<bool> layers_;
  MapWriter& writer_;

  AttentionWorkspace workspace_;
  FloatBuffer probabilities_;  // [queries, heads at a time, keys], or of a sample
  LayerMaps maps_;
  double busy_seconds_ = 0;
};

}  // namespace vggt
