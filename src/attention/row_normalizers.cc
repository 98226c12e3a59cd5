// SPDX-License-Identifier: Apache-2.0
#include "attention/row_normalizers.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "attention/relative_rotation.h"
#include "attention/softmax_groups.h"
#include "core/parallel.h"
#include "ops/log_sum_exp.h"

namespace vggt {
namespace {

// One head's queries or keys as float32, rotated where that is wanted.
FloatBuffer Rotated(const uint16_t* half, const QkDescription& description, const QkBlocks& blocks,
                    bool before_rope) {
  const int64_t per_frame = description.tokens_per_frame(blocks), dim = blocks.head_dim;
  const int64_t tokens = description.frames * per_frame;
  FloatBuffer values(tokens * dim);
  std::vector<int32_t> positions(2 * tokens);
  const auto table = RotationTable(blocks, description.H_p, description.W_p, before_rope);
  ParallelFor(tokens, 64, [&](size_t t) {
    for (int64_t c = 0; c < dim; ++c) values[t * dim + c] = F16ToF32(half[t * dim + c]);
    const TokenPosition position =
        PositionOf(blocks, description.W_p, static_cast<int64_t>(t) % per_frame);
    positions[2 * t] = position.y;
    positions[2 * t + 1] = position.x;
  });
  if (table != nullptr) Rope(*table, tokens, 1, dim, positions.data(), values.data());
  return values;
}

// The chosen rows of x [tokens, dim], one after another.
FloatBuffer Gather(const FloatBuffer& x, std::span<const int64_t> tokens, int64_t dim) {
  FloatBuffer out(tokens.size() * dim);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::memcpy(out.data() + i * dim, x.data() + tokens[i] * dim, dim * sizeof(float));
  }
  return out;
}

}  // namespace

FloatBuffer RowNormalizers::Compute(const Key& key, const QkTensors& tensors,
                                    AttentionWorkspace& workspace,
                                    const StopCheck& stop_check) const {
  const QkDescription& description = store_.description();
  const QkBlocks& blocks = *description.Find(key.kind);
  const int64_t per_frame = description.tokens_per_frame(blocks), dim = blocks.head_dim;
  const int64_t tokens = description.frames * per_frame;
  const int64_t head = (key.head - 1) * tokens * dim;
  const FloatBuffer q = Rotated(tensors.q + head, description, blocks, key.before_rope);
  const FloatBuffer k = Rotated(tensors.k + head, description, blocks, key.before_rope);

  FloatBuffer out(tokens);
  std::fill(out.data(), out.data() + tokens, std::numeric_limits<float>::infinity());
  // Frames that attend to the same keys are computed in one go.
  for (int64_t frame = 0; frame < description.frames;) {
    const FrameRange range = AttendedFrames(blocks.attends, frame, description.frames, false);
    const int64_t rows_end = blocks.attends == Attends::kAll ? description.frames : frame + 1;
    std::vector<int64_t> keys;
    for (int64_t f = range.first; f < range.last; ++f) {
      if (key.definition == Definition::kFrame && f != key.frame) continue;
      const bool patches = key.definition == Definition::kPatches;
      for (int64_t t = patches ? blocks.specials() : 0; t < per_frame; ++t) {
        keys.push_back(f * per_frame + t);
      }
    }
    if (!keys.empty()) {
      const FloatBuffer chosen = Gather(k, keys, dim);
      LogSumExp((rows_end - frame) * per_frame, q.data() + frame * per_frame * dim,
                static_cast<int64_t>(keys.size()), chosen.data(), dim,
                static_cast<float>(blocks.scale), out.data() + frame * per_frame, workspace,
                stop_check);
    }
    frame = rows_end;
  }
  return out;
}

std::shared_ptr<const FloatBuffer> RowNormalizers::Get(const Key& key, const QkTensors& tensors,
                                                       AttentionWorkspace& workspace,
                                                       const StopCheck& stop_check) {
  constexpr std::chrono::milliseconds kBetweenChecks{20};
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = places_.find(key);
    if (found != places_.end()) {
      entries_.splice(entries_.end(), entries_, found->second);
      return found->second->values;
    }
    if (at_work_.insert(key).second) break;
    computed_.wait_for(lock, kBetweenChecks);
    lock.unlock();
    CheckStop(stop_check);
    lock.lock();
  }
  lock.unlock();
  std::shared_ptr<const FloatBuffer> values;
  std::exception_ptr ended;
  try {
    values = std::make_shared<const FloatBuffer>(Compute(key, tensors, workspace, stop_check));
    tensors.mapping->CheckIntact();
  } catch (...) {
    ended = std::current_exception();
  }
  lock.lock();
  at_work_.erase(key);
  if (!ended) Keep(key, values);
  computed_.notify_all();
  lock.unlock();
  if (ended) std::rethrow_exception(ended);
  return values;
}

void RowNormalizers::Keep(const Key& key, std::shared_ptr<const FloatBuffer> values) {
  bytes_ += values->size() * sizeof(float);
  entries_.push_back({key, std::move(values)});
  places_[key] = std::prev(entries_.end());
  while (bytes_ > most_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.front().values->size() * sizeof(float);
    places_.erase(entries_.front().key);
    entries_.pop_front();
  }
}

bool RowNormalizers::Has(const Key& key) const {
  const std::lock_guard lock(mutex_);
  return places_.contains(key);
}

}  // namespace vggt
