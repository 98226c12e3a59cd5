// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <algorithm>

#include "core/error.h"

namespace vggt {

std::string BlockText(BlockId block) {
  constexpr const char* kGroups[] = {"global", "frame", "encoder"};
  return fmt::format("{} block {}", kGroups[static_cast<int>(block.group)], block.index + 1);
}

const AttentionProbe* AttentionObserver::Probe(int64_t /*layer*/) { return nullptr; }
void AttentionObserver::OnQueriesKeys(int64_t /*layer*/, const QueriesKeys& /*qk*/) {}
void AttentionObserver::OnLayer(int64_t /*layer*/) {}
bool AttentionObserver::WantsUnrotated(BlockId /*block*/) const { return false; }
void AttentionObserver::OnUnrotated(BlockId /*block*/, const QueriesKeys& /*qk*/) {}

ObserverGroup::ObserverGroup(std::vector<AttentionObserver*> observers)
    : observers_(std::move(observers)) {}

const AttentionProbe* ObserverGroup::Probe(int64_t layer) {
  const AttentionProbe* probe = nullptr;
  for (AttentionObserver* observer : observers_) {
    const AttentionProbe* own = observer->Probe(layer);
    if (probe != nullptr && own != nullptr) throw Error("two observers probe the same layer");
    if (own != nullptr) probe = own;
  }
  return probe;
}

void ObserverGroup::OnQueriesKeys(int64_t layer, const QueriesKeys& qk) {
  for (AttentionObserver* observer : observers_) observer->OnQueriesKeys(layer, qk);
}

void ObserverGroup::OnLayer(int64_t layer) {
  for (AttentionObserver* observer : observers_) observer->OnLayer(layer);
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

}  // namespace vggt
