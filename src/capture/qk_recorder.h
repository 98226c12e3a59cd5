// SPDX-License-Identifier: Apache-2.0
// Records queries and keys before RoPE during a forward pass, a block at a time.
#pragma once

#include <vector>

#include "capture/background_job.h"
#include "core/tensor.h"
#include "model/observer.h"
#include "store/qk/qk_writer.h"

namespace vggt {

// For each block of a group whether it is wanted; blocks beyond the end are not.
struct WantedBlocks {
  std::vector<bool> global, frame, encoder;

  bool Has(BlockId block) const;
};

// A block's queries and keys are rounded to float16 at once and written by a background thread
// while the model computes the next block. OnUnrotated waits if the block before is still being
// written, so at most two blocks are in memory.
class QkRecorder : public AttentionObserver {
 public:
  // `writer` is called on the background thread and must outlive the recorder. Its description has
  // all kinds of the wanted blocks.
  QkRecorder(WantedBlocks wanted, QkWriter& writer);

  bool WantsUnrotated(BlockId block) const override;
  // Throws Error naming block and head if a value does not fit float16. What the writer threw is
  // rethrown by the next call of this or of Finish.
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;
  // Waits until every block has been written.
  void Finish();

  // Time the background thread has worked, in seconds; to be asked after Finish.
  double busy_seconds() const { return background_.busy_seconds(); }

 private:
  const WantedBlocks wanted_;
  QkWriter& writer_;
  AlignedBuffer<uint16_t> recording_, finished_;  // q, then k
  BackgroundJob background_;                      // works on `finished_`
};

}  // namespace vggt
