// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <algorithm>
#include <chrono>
#include <iterator>
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
                                 std::vector<bool> layers, MapWriter& writer)
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
  // The mean of all heads needs no sample.
  const bool done = per_head_ && QuantizeLayer(qk, SampleLayer(qk));
  if (!done) QuantizeLayer(qk, {});
  writer_.WriteLayer(layer, maps_);
  const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - start;
  busy_seconds_ += busy.count();
}

float* HeatmapRecorder::Probabilities(int64_t size) {
  if (static_cast<int64_t>(probabilities_.size()) < size) probabilities_ = FloatBuffer(size);
  return probabilities_.data();
}

// All heads' probabilities of every so many queries.
std::vector<float> HeatmapRecorder::SampleLayer(const QueriesKeys& qk) {
  constexpr size_t kRows = 16;
  constexpr int64_t kSamples = 1 << 16;
  const size_t step = std::max<size_t>(plan_.rows.size() / kRows, 1);
  std::vector<int32_t> rows;
  for (size_t i = step / 2; i < plan_.rows.size(); i += step) rows.push_back(plan_.rows[i]);
  const int64_t count = std::ssize(rows) * extents_.heads * extents_.keys();
  float* all = Probabilities(count);
  ProbeAttention(qk.shape(), qk.q, qk.k, {rows, plan_.keys, false, all, plan_.seen}, workspace_);
  std::vector<float> sample;
  for (int64_t i = 0; i < count; i += count / kSamples + 1) sample.push_back(all[i]);
  return sample;
}

// Fills maps_; false if the sample misled.
bool HeatmapRecorder::QuantizeLayer(const QueriesKeys& qk, std::vector<float> sample) {
  LayerQuantizer quantizer(extents_, per_head_, maps_, std::move(sample));
  const int64_t together = per_head_ ? HeadsTogether(extents_) : extents_.heads;
  const int64_t kept = per_head_ ? together : 1;
  float* probabilities = Probabilities(extents_.queries * kept * extents_.keys());
  for (int64_t head = 0; head < qk.heads; head += together) {
    AttentionShape shape = qk.shape();
    shape.heads = std::min(together, qk.heads - head);
    const int64_t offset = head * qk.head_dim;
    ProbeAttention(shape, qk.q + offset, qk.k + offset,
                   {plan_.rows, plan_.keys, !per_head_, probabilities, plan_.seen}, workspace_);
    quantizer.Add(probabilities, per_head_ ? shape.heads : 1);
  }
  return quantizer.Finish();
}

}  // namespace vggt
