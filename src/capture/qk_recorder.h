// SPDX-License-Identifier: Apache-2.0
// Records queries and keys before RoPE during a forward pass, a block at a time.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "capture/background_job.h"
#include "core/tensor.h"
#include "model/observer.h"

namespace vggt {

// For each block of a group whether it is wanted; blocks beyond the end are not.
struct WantedBlocks {
  std::vector<bool> global, frame, encoder;

  bool Has(BlockId block) const;
};

// While a background thread hands on one block, the model computes the next; a third waits. Two
// blocks' queries and keys are in memory at most.
class QkRecorder : public AttentionObserver {
 public:
  // Takes a block's q and k, each [heads, tokens, head_dim] as float16, on the background thread.
  using Sink =
      std::function<void(BlockId block, std::span<const uint16_t> q, std::span<const uint16_t> k)>;

  QkRecorder(WantedBlocks wanted, Sink sink);

  bool WantsUnrotated(BlockId block) const override;
  // Throws Error naming block and head if a value does not fit float16. What the sink threw is
  // rethrown by the next call of this or of Finish.
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;
  // Waits until every block has been handed on.
  void Finish();

  // Time the background thread has worked.
  double busy_seconds() const { return background_.busy_seconds(); }

 private:
  const WantedBlocks wanted_;
  const Sink sink_;
  AlignedBuffer<uint16_t> recording_, finished_;  // q, then k
  BackgroundJob background_;                      // works on `finished_`
};

}  // namespace vggt
