// SPDX-License-Identifier: Apache-2.0
// How a forward pass is watched from outside.
#pragma once

#include <cstdint>
#include <vector>

#include "core/block_kind.h"
#include "ops/attention.h"

namespace vggt {

// Queries and keys of a block, the frames one after the other. Both are [tokens, heads, head_dim]
// with token_stride values from one token to the next.
struct QueriesKeys {
  const float* q = nullptr;
  const float* k = nullptr;
  int64_t tokens = 0, heads = 0, head_dim = 0, token_stride = 0;

  // All tokens as one sequence.
  AttentionShape shape() const { return {1, tokens, heads, head_dim, token_stride}; }
};

// Handed to Aggregator::Forward; every call comes from the calling thread, between parallel work.
// What it throws ends the pass. `layer` is a global block, counted from 0.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;

  // Before the block's attention; after q/k-norm and RoPE.
  virtual void OnQueriesKeys(int64_t layer, const QueriesKeys& qk);

  // Whether OnUnrotated is wanted of a block; asked before the block runs.
  virtual bool WantsUnrotated(BlockId block) const;
  // The block's queries and keys after q/k-norm and before RoPE, as far as it has these. A frame's
  // tokens are the camera's and the registers', in the encoder cls and registers, then the patches.
  virtual void OnUnrotated(BlockId block, const QueriesKeys& qk);
};

// Several observers as one; they must outlive it.
class ObserverGroup : public AttentionObserver {
 public:
  explicit ObserverGroup(std::vector<AttentionObserver*> observers);

  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override;
  bool WantsUnrotated(BlockId block) const override;
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;

 private:
  std::vector<AttentionObserver*> observers_;
};

}  // namespace vggt
