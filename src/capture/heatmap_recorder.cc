// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <chrono>
#include <utility>

namespace vggt {

HeatmapRecorder::HeatmapRecorder(QueryPlan plan, const MapExtents& extents, bool per_head,
                                 std::vector<bool> layers, Sink sink)
    : plan_(std::move(plan)),
      extents_(extents),
      per_head_(per_head),
      layers_(std::move(layers)),
      sink_(std::move(sink)) {}

const AttentionProbe* HeatmapRecorder::Probe(int64_t layer) {
  if (!layers_[layer]) return nullptr;
  if (probabilities_.size() == 0) {
    probabilities_ =
        FloatBuffer(extents_.queries * (per_head_ ? extents_.heads : 1) * extents_.keys());
  }
  probe_ = {plan_.rows, plan_.keys, !per_head_, probabilities_.data()};
  return &probe_;
}

void HeatmapRecorder::OnLayer(int64_t layer) {
  if (!layers_[layer]) return;
  const auto start = std::chrono::steady_clock::now();
  QuantizeLayer(probabilities_.data(), extents_, per_head_, maps_);
  sink_(layer, maps_);
  const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - start;
  busy_seconds_ += busy.count();
}

}  // namespace vggt
