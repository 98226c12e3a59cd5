// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <algorithm>

namespace vggt {

void AttentionObserver::OnQueriesKeys(int64_t /*layer*/, const QueriesKeys& /*qk*/) {}
void AttentionObserver::OnReference(int64_t /*frame*/) {}
bool AttentionObserver::WantsUnrotated(BlockId /*block*/) const { return false; }
void AttentionObserver::OnUnrotated(BlockId /*block*/, const QueriesKeys& /*qk*/) {}
bool AttentionObserver::WantsOutput(BlockId /*block*/) const { return false; }
void AttentionObserver::OnOutput(BlockId /*block*/, const BlockOutput& /*output*/) {}

ObserverGroup::ObserverGroup(std::vector<AttentionObserver*> observers)
    : observers_(std::move(observers)) {}

void ObserverGroup::OnQueriesKeys(int64_t layer, const QueriesKeys& qk) {
  for (AttentionObserver* observer : observers_) observer->OnQueriesKeys(layer, qk);
}

void ObserverGroup::OnReference(int64_t frame) {
  for (AttentionObserver* observer : observers_) observer->OnReference(frame);
}

bool ObserverGroup::WantsUnrotated(BlockId block) const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [block](const AttentionObserver* o) { return o->WantsUnrotated(block); });
}

void ObserverGroup::OnUnrotated(BlockId block, const QueriesKeys& qk) {
  for (AttentionObserver* observer : observers_) {
    if (observer->WantsUnrotated(block)) observer->OnUnrotated(block, qk);
  }
}

bool ObserverGroup::WantsOutput(BlockId block) const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [block](const AttentionObserver* o) { return o->WantsOutput(block); });
}

void ObserverGroup::OnOutput(BlockId block, const BlockOutput& output) {
  for (AttentionObserver* observer : observers_) {
    if (observer->WantsOutput(block)) observer->OnOutput(block, output);
  }
}

}  // namespace vggt
