// SPDX-License-Identifier: Apache-2.0
#include "attention/row_normalizers.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "attention/rotation.h"
#include "attention/softmax_groups.h"
#include "core/parallel.h"
#include "ops/log_sum_exp.h"

namespace vggt {

FloatBuffer RowNormalizers::Compute(const Key& key, const QkTensors& tensors,
                                    AttentionWorkspace& workspace,
                                    const StopCheck& stop_check) const {
  const QkDescription& description = store_.description();
  const QkBlocks& blocks = *description.Find(key.kind);
  const TokenGrid grid = description.token_grid(blocks);
  const RowRotation rotation(blocks, grid, key.before_rope);
  const int64_t head = (key.head - 1) * grid.tokens() * blocks.head_dim;

  FloatBuffer out(grid.tokens());
  std::fill(out.data(), out.data() + grid.tokens(), std::numeric_limits<float>::infinity());
  for (const SoftmaxGroup& group : SoftmaxGroups(blocks.attends, key.definition, grid.frames)) {
    if (key.definition == Definition::kFrame && group.keys.first != key.frame) continue;
    const std::vector<int64_t> rows = KeyTokens(group.rows, Definition::kModel, grid);
    const std::vector<int64_t> keys = KeyTokens(group.keys, key.definition, grid);
    const FloatBuffer q = rotation.Rotated(tensors.q + head, rows);
    const FloatBuffer k = rotation.Rotated(tensors.k + head, keys);
    LogSumExp(std::ssize(rows), q.data(), std::ssize(keys), k.data(), blocks.head_dim,
              static_cast<float>(blocks.scale), out.data() + rows.front(), workspace, stop_check);
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
