// SPDX-License-Identifier: Apache-2.0
// Keeps what prediction heads read of a forward pass (model/heads_plan.h): taps of some layers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/spill_file.h"
#include "core/tensor.h"
#include "core/token_grid.h"
#include "model/observer.h"

namespace vggt {

// Patch tokens, 7.6 MB for each layer and picture of 37 × 25 patches in VGGT-1B, go to a file
// without a name, so that no number of pictures takes more memory; camera tokens stay in memory.
class HeadTaps : public AttentionObserver {
 public:
  // `layers` from 0, ascending. `channels`: of a token; a tap has twice as many. `folder`: where
  // there is room for them. Throws Error if the file cannot be made.
  HeadTaps(std::vector<int64_t> layers, const TokenGrid& grid, int64_t channels,
           const std::filesystem::path& folder);

  bool WantsOutput(BlockId block) const override;
  // Throws Error if the disk is full.
  void OnOutput(BlockId block, const BlockOutput& output) override;

  // After the pass. Of one of the layers and a frame, from 0: tokens [patches, 2 · channels].
  void ReadPatches(int64_t layer, int64_t frame, float* tokens);
  // Of one of the layers, [frames, 2 · channels].
  const float* camera_tokens(int64_t layer) const;

 private:
  int64_t Slot(int64_t layer) const;  // its place among the layers
  // Where the outputs [patches, channels] of a frame's or global block begin in the file.
  uint64_t Offset(int64_t layer, int64_t frame, BlockKind kind) const;

  const std::vector<int64_t> layers_;
  const TokenGrid grid_;
  const int64_t channels_;
  SpillFile file_;
  FloatBuffer camera_tokens_;  // [layers, frames, 2 · channels]
  FloatBuffer half_;           // of a tap of one frame
};

}  // namespace vggt
