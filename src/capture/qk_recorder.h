// SPDX-License-Identifier: Apache-2.0
// Records queries and keys as stores hold them (model/observer.h) during a forward pass, a block at
// a time, and what the store holds beside them (QkExtra).
#pragma once

#include <optional>
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
  std::vector<bool>& of(BlockKind kind);
};

// A block's queries and keys are rounded to float16 at once. When the block has run they are
// written with its extras by a background thread, while the model computes the next block; of a
// block that ends at its queries and keys these are written alone. The recorder waits if the block
// before is still being written, so at most two blocks are in memory.
class QkRecorder : public AttentionObserver {
 public:
  // `writer` is called on the background thread and must outlive the recorder. Its description has
  // all kinds of the wanted blocks.
  QkRecorder(WantedBlocks wanted, QkWriter& writer);

  void OnReference(int64_t frame) override;
  bool WantsUnrotated(BlockId block) const override;
  // Throws Error naming block and head if a value does not fit float16. What the writer threw is
  // rethrown by the next call of this, of OnOutput or of Finish.
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override;
  bool WantsOutput(BlockId block) const override;
  // After OnUnrotated of this block. Throws like it.
  void OnOutput(BlockId block, const BlockOutput& output) override;
  // Waits until every block has been written.
  void Finish();

  // Time the background thread has worked, in seconds; to be asked after Finish.
  double busy_seconds() const { return background_.busy_seconds(); }

 private:
  // A block's q, then k, as float16.
  struct Recording {
    BlockId block;
    size_t count = 0;  // values of q
    AlignedBuffer<uint16_t> qk;
    QkExtraValues extras;
  };

  // Has what was recorded written.
  void Write();

  const WantedBlocks wanted_;
  QkWriter& writer_;
  Recording recording_, finished_;
  bool pending_ = false;      // whether `recording_` is still to be written
  BackgroundJob background_;  // works on `finished_`
};

}  // namespace vggt
