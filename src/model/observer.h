// SPDX-License-Identifier: Apache-2.0
// How a forward pass is watched from outside.
#pragma once

#include <cstdint>
#include <vector>

#include "core/block_kind.h"
#include "core/token_grid.h"
#include "ops/attention.h"

namespace vggt {

// Queries and keys of a block for all tokens of the grid. Both are [tokens, heads, head_dim] with
// token_stride values from one token to the next.
struct QueriesKeys {
  const float* q = nullptr;
  const float* k = nullptr;
  TokenGrid grid;
  int64_t heads = 0, head_dim = 0, token_stride = 0;

  int64_t tokens() const { return grid.tokens(); }
  // All tokens as one sequence.
  AttentionShape shape() const { return {1, tokens(), heads, head_dim, token_stride}; }
};

// Watches a forward pass. Every call comes from the thread that runs the pass, between parallel
// work. What it throws ends the pass. `layer` is a global block, counted from 0.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;

  // Before the block's attention; after q/k-norm and RoPE.
  virtual void OnQueriesKeys(int64_t layer, const QueriesKeys& qk);

  // Whether OnUnrotated is wanted of a block; asked before the block runs.
  virtual bool WantsUnrotated(BlockId block) const;
  // The block's queries and keys after q/k-norm and before RoPE, as far as it has these.
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
