// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

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
  if (recording_.size() == 0) {
    recording_ = FloatBuffer(extents_.queries * (per_head_ ? extents_.heads : 1) * extents_.keys());
  }
  probe_ = {plan_.rows, plan_.keys, !per_head_, recording_.data()};
  return &probe_;
}

void HeatmapRecorder::OnLayer(int64_t layer) {
  if (!layers_[layer]) return;
  background_.Wait();
  std::swap(recording_, finished_);
  background_.Start(
      [this, layer] { sink_(layer, QuantizeLayer(finished_.data(), extents_, per_head_)); });
}

void HeatmapRecorder::Finish() { background_.Wait(); }

}  // namespace vggt
