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

// What a block has made of all tokens of the grid.
struct BlockOutput {
  const float* x = nullptr;  // [tokens, channels]: the residual stream as it is handed on
  int64_t channels = 0;
  // The values that its attention mixed, [tokens, heads, head_dim] with token_stride values from
  // one token to the next.
  const float* v = nullptr;
  // Of each head W_Oᵀ · W_O, [heads, head_dim, head_dim], where W_O are its columns of the output
  // projection, without LayerScale: ‖W_O · v‖² = vᵀ · gram · v (ops/norms.h). Null unless the block
  // is among the plan's taps.
  const float* output_grams = nullptr;
  TokenGrid grid;
  int64_t heads = 0, head_dim = 0, token_stride = 0;
};

// Watches a forward pass. Blocks of special tokens alone are not shown. Every call comes from the
// thread that runs the pass, between parallel work. What it throws ends the pass. `layer` is a
// global block, counted from 0.
class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;

  // Before the block's attention; after q/k-norm and RoPE.
  virtual void OnQueriesKeys(int64_t layer, const QueriesKeys& qk);

  // The frame that the model has chosen as the scene's reference, from 0. Models that choose none,
  // do not call it.
  virtual void OnReference(int64_t frame);

  // Whether OnUnrotated is wanted of a block; asked before the block runs.
  virtual bool WantsUnrotated(BlockId block) const;
  // The block's queries and keys as a store holds them: after q/k-norm and before RoPE, as far as
  // it has these; after RoPE where a store cannot say which it is (RotarySpec::stored).
  virtual void OnUnrotated(BlockId block, const QueriesKeys& qk);

  // Whether OnOutput is wanted of a block; asked before the block runs.
  virtual bool WantsOutput(BlockId block) const;
  // After the block has run, unless it ends at its queries and keys.
  virtual void OnOutput(BlockId block, const BlockOutput& output);
};

// Several observers as one; they must outlive it.
class ObserverGroup : public AttentionObserver {
 public:
  explicit ObserverGroup(std::vector<AttentionObserver*> observers);

  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override;
  void OnReference(int64_t frame) override;
  bool WantsUnrotated(BlockId block) const override;
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;
  bool WantsOutput(BlockId block) const override;
  void OnOutput(BlockId block, const BlockOutput& output) override;

 private:
  std::vector<AttentionObserver*> observers_;
};

}  // namespace vggt
