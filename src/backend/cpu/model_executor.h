// SPDX-License-Identifier: Apache-2.0
// Runs a model's plan on the processor.
#pragma once

#include <functional>
#include <utility>

#include "backend/cpu/parameters.h"
#include "model/observer.h"
#include "model/plan.h"

namespace vggt {

// Where a forward pass is.
struct ForwardProgress {
  BlockId block;     // just done
  double share = 0;  // of the blocks' arithmetic that is done, in (0, 1]
};

// Seconds spent. What comes before and between the blocks counts as the encoder's; capture is the
// observer's own time.
struct ForwardSeconds {
  double encoder = 0, frame_blocks = 0, global_blocks = 0, capture = 0;
};

class ModelExecutor {
 public:
  explicit ModelExecutor(ModelParameters parameters) : parameters_(std::move(parameters)) {}

  const ModelPlan& plan() const { return parameters_.plan; }
  Precision precision() const { return parameters_.precision; }

  // One pass over the frames; frames.rgb is read at the start only. The observer sees each block of
  // the plan. `progress` may be empty, is called after each block, and may throw to stop. Throws
  // Error naming the block in or after which a value was infinite or NaN. Several threads may run
  // passes at the same time: a pass changes nothing but its own memory.
  ForwardSeconds Forward(const FrameBatch& frames, AttentionObserver& observer,
                         const std::function<void(const ForwardProgress&)>& progress = {}) const;

 private:
  ModelParameters parameters_;
};

}  // namespace vggt
