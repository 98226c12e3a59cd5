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
      sink_(std::move(sink)) {
  thread_ = std::thread([this] { Work(); });
}

HeatmapRecorder::~HeatmapRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

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
  WaitUntilIdle();
  {
    const std::lock_guard lock(mutex_);
    std::swap(recording_, finished_);
    finished_layer_ = layer;
  }
  changed_.notify_all();
}

void HeatmapRecorder::Finish() { WaitUntilIdle(); }

void HeatmapRecorder::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return finished_layer_ < 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void HeatmapRecorder::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || finished_layer_ >= 0; });
    if (stopping_) return;
    const int64_t layer = finished_layer_;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    std::exception_ptr error;
    try {
      sink_(layer, QuantizeLayer(finished_.data(), extents_, per_head_));
    } catch (...) {
      error = std::current_exception();
    }
    const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - start;
    lock.lock();
    busy_seconds_ += busy.count();
    if (error) error_ = error;
    finished_layer_ = -1;
    changed_.notify_all();
  }
}

}  // namespace vggt
