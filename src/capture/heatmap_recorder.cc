// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/parallel.h"

namespace vggt {
namespace {

// Heads whose probabilities are in memory at a time: few, so that they stay in the last-level cache
// while they are read again; several for many threads, which wait for one another after each step.
int64_t HeadsTogether(const MapExtents& extents) {
  constexpr int kThreads = 4;  // that share a head
  return std::min<int64_t>((ThreadCount() + kThreads - 1) / kThreads, extents.heads);
}

}  // namespace

HeatmapRecorder::HeatmapRecorder(MapPlan plan, const MapExtents& extents, bool per_head,
                                 std::vector<bool> layers, ExportWriter& writer)
    : plan_(std::move(plan)),
      extents_(extents),
      per_head_(per_head),
      layers_(std::move(layers)),
      writer_(writer) {}

double HeatmapRecorder::MemoryBytes(const MapExtents& extents, bool per_head) {
  const double map = static_cast<double>(extents.queries) * static_cast<double>(extents.keys());
  const int64_t probabilities = per_head ? HeadsTogether(extents) : 1;
  const int64_t levels = per_head ? extents.heads : 1;
  return map * static_cast<double>(probabilities * sizeof(float) + levels);
}

void HeatmapRecorder::OnQueriesKeys(int64_t layer, const QueriesKeys& qk) {
  if (!layers_[layer]) return;
  const auto start = std::chrono::steady_clock::now();
  QuantizeLayer(qk);
  writer_.WriteLayer(layer, maps_);
  const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - start;
  busy_seconds_ += busy.count();
}

// Fills maps_.
void HeatmapRecorder::QuantizeLayer(const QueriesKeys& qk) {
  LayerQuantizer quantizer(extents_, per_head_, maps_);
  const int64_t together = per_head_ ? HeadsTogether(extents_) : extents_.heads;
  const int64_t kept = per_head_ ? together : 1;
  const int64_t size = extents_.queries * kept * extents_.keys();
  if (static_cast<int64_t>(probabilities_.size()) < size) probabilities_ = FloatBuffer(size);
  for (int64_t head = 0; head < qk.heads; head += together) {
    AttentionShape shape = qk.shape();
    shape.heads = std::min(together, qk.heads - head);
    const int64_t offset = head * qk.head_dim;
    ProbeAttention(shape, qk.q + offset, qk.k + offset,
                   {plan_.rows, plan_.keys, !per_head_, probabilities_.data()}, workspace_);
    quantizer.Add(probabilities_.data(), per_head_ ? shape.heads : 1);
  }
  quantizer.Finish();
}

}  // namespace vggt
