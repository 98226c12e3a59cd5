// SPDX-License-Identifier: Apache-2.0
// How a forward pass is watched from outside.
#pragma once

#include "kernels/attention.h"

namespace vggt {

// Queries and keys of a global block, all frames in one sequence, after q/k-norm and RoPE.
// Both are [tokens, heads, head_dim] with token_stride values from one token to the next.
struct QueriesKeys {
  const float* q = nullptr;
  const float* k = nullptr;
  int64_t tokens = 0, heads = 0, head_dim = 0, token_stride = 0;
};

// Handed to Aggregator::Forward; every call comes from the calling thread, between parallel work.
// What it throws ends the pass. `layer` is a global block, counted from 0.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;

  // The rows to be written out while the block runs, or null. Must stay valid until OnLayer.
  virtual const AttentionProbe* Probe(int64_t layer);
  // Before the block's attention.
  virtual void OnQueriesKeys(int64_t layer, const QueriesKeys& qk);
  // After the block's attention: the probe's output is complete.
  virtual void OnLayer(int64_t layer);
};

}  // namespace vggt
