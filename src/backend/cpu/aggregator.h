// SPDX-License-Identifier: Apache-2.0
// VGGT's aggregator: the encoder, then frame and global blocks by turns. The prediction heads are
// neither needed nor run.
#pragma once

#include <functional>

#include "backend/cpu/encoder.h"
#include "model/observer.h"

namespace vggt {

// Where a forward pass is.
struct ForwardProgress {
  enum class Stage { kEncoder, kFrameBlock, kGlobalBlock };
  Stage stage = Stage::kEncoder;
  int64_t block = 0;  // just done, counted from 0
  double share = 0;   // of the pass's arithmetic that is done, in (0, 1]
};

// Seconds spent; capture is the observer's own time.
struct ForwardSeconds {
  double encoder = 0, frame_blocks = 0, global_blocks = 0, capture = 0;
};

class Aggregator {
 public:
  // Takes parameters loaded for global blocks 0 … last_layer; -1: there is the encoder alone.
  Aggregator(ModelConfig config, AggregatorParameters parameters);

  const ModelConfig& config() const { return config_; }
  int64_t last_layer() const;
  Precision precision() const { return parameters_.precision; }

  // One pass over the frames; frames.rgb is read at the start only. The first frame is the
  // reference: it has camera and register tokens of its own. The observer sees the encoder's blocks
  // and frame and global blocks 0 … last_layer. `progress` may be empty, is called after each
  // block, and may throw to stop. Throws Error naming the block after which a value was infinite or
  // NaN.
  ForwardSeconds Forward(const FrameBatch& frames, AttentionObserver& observer,
                         const std::function<void(const ForwardProgress&)>& progress = {}) const;

 private:
  ModelConfig config_;
  AggregatorParameters parameters_;
};

}  // namespace vggt
