// SPDX-License-Identifier: Apache-2.0
// How a forward pass is watched from outside.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention.h"

namespace vggt {

// Where a block stands in the model.
enum class BlockGroup { kGlobal, kFrame, kEncoder };

struct BlockId {
  BlockGroup group = BlockGroup::kGlobal;
  int64_t index = 0;  // among those of its group, from 0
};

// "global block 3", counted from 1.
std::string BlockText(BlockId block);

// Queries and keys of a block, the frames one after the other. Both are [tokens, heads, head_dim]
// with token_stride values from one token to the next.
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
  // Before the block's attention; after q/k-norm and RoPE.
  virtual void OnQueriesKeys(int64_t layer, const QueriesKeys& qk);
  // After the block's attention: the probe's output is complete.
  virtual void OnLayer(int64_t layer);

  // Whether OnUnrotated is wanted of a block; asked before the block runs.
  virtual bool WantsUnrotated(BlockId block) const;
  // The block's queries and keys after q/k-norm and before RoPE, as far as it has these. A frame's
  // tokens are the camera's and the registers', in the encoder cls and registers, then the patches.
  virtual void OnUnrotated(BlockId block, const QueriesKeys& qk);
};

// Several observers as one; they must outlive it. One of them at most may probe a layer.
class ObserverGroup : public AttentionObserver {
 public:
  explicit ObserverGroup(std::vector<AttentionObserver*> observers);

  const AttentionProbe* Probe(int64_t layer) override;
  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override;
  void OnLayer(int64_t layer) override;
  bool WantsUnrotated(BlockId block) const override;
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;

 private:
  std::vector<AttentionObserver*> observers_;
};

}  // namespace vggt
