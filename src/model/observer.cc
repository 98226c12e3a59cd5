// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

namespace vggt {

const AttentionProbe* AttentionObserver::Probe(int64_t /*layer*/) { return nullptr; }
void AttentionObserver::OnQueriesKeys(int64_t /*layer*/, const QueriesKeys& /*qk*/) {}
void AttentionObserver::OnLayer(int64_t /*layer*/) {}

}  // namespace vggt
