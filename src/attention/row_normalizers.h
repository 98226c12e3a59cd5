// SPDX-License-Identifier: Apache-2.0
// The number that each row of the attention matrix is divided by. A column of the matrix, which
// says who looks at a token, needs those of all rows.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <tuple>

#include "attention/definition.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "store/qk/qk_store.h"

namespace vggt {

// For every query of one head, the logarithm of the sum of exp(logit) over the keys that a
// definition counts. Computing them takes as long as the head's attention in the model itself. They
// are kept until there is no more room; then the least recently used are dropped. Any number of
// threads may ask.
class RowNormalizers {
 public:
  RowNormalizers(const QkStore& store, uint64_t most_bytes)
      : store_(store), most_bytes_(most_bytes) {}

  struct Key {
    BlockKind kind = BlockKind::kGlobal;
    size_t layer = 0;
    int head = 1;
    Definition definition = Definition::kModel;  // one that IsProbability
    int64_t frame = 0;                           // whose keys count, of kFrame alone
    bool before_rope = false;
    uint64_t version = 0;  // of the layer's file

    bool operator<(const Key& other) const {
      const auto fields = [](const Key& k) {
        return std::tie(k.kind, k.layer, k.head, k.definition, k.frame, k.before_rope, k.version);
      };
      return fields(*this) < fields(other);
    }
  };

  // Returns [all tokens]. Rows of frames that attend to none of the keys hold +infinity,
  // so that their probabilities are 0. If several callers want the same, one computes and the
  // others wait. `stop_check` is asked while computing and while waiting; if it throws, nothing is
  // kept, and one of those that wait computes instead. `workspace` is the caller's own.
  std::shared_ptr<const FloatBuffer> Get(const Key& key, const QkTensors& tensors,
                                         AttentionWorkspace& workspace,
                                         const StopCheck& stop_check = {});

  // Whether Get would find them.
  bool Has(const Key& key) const;

 private:
  FloatBuffer Compute(const Key& key, const QkTensors& tensors, AttentionWorkspace& workspace,
                      const StopCheck& stop_check) const;
  void Keep(const Key& key, std::shared_ptr<const FloatBuffer> values);

  struct Entry {
    Key key;
    std::shared_ptr<const FloatBuffer> values;
  };

  const QkStore& store_;
  const uint64_t most_bytes_;
  mutable std::mutex mutex_;  // for all below
  std::condition_variable computed_;
  std::set<Key> at_work_;  // being computed
  uint64_t bytes_ = 0;
  std::list<Entry> entries_;  // the least recently used first
  std::map<Key, std::list<Entry>::iterator> places_;
};

}  // namespace vggt
