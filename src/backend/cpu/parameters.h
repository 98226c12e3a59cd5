// SPDX-License-Identifier: Apache-2.0
// The weights of a plan, converted and packed once; they never change after that. Precision
// concerns the weights of the blocks' linear layers. All others are float32.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "backend/cpu/linear.h"
#include "core/tensor.h"
#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

struct NormParameters {
  FloatBuffer weight, bias;
  float eps = 0;
};

// Of a BlockSpec. LayerScale is folded into proj and fc2, which add their result to the residual
// stream.
struct BlockParameters {
  struct Rest {
    Linear proj;
    NormParameters norm2;
    Linear fc1, fc2;
    // W_Oᵀ · W_O of each head (BlockOutput::output_grams), of weights as the checkpoint has them;
    // empty unless the plan taps the block.
    FloatBuffer output_grams;
  };
  NormParameters norm1;
  std::optional<NormParameters> q_norm, k_norm;
  Linear qkv;
  std::optional<Rest> rest;
};

// Of a StageSpec.
struct StageParameters {
  std::vector<FloatBuffer> tokens;  // of each TokenSpec: [sets, tokens, dim]
  FloatBuffer positions;            // [1 + grid², dim]; empty if there are none
  FloatBuffer periods;              // of kDinov3, [head_dim / 4]; empty if there are none
  std::vector<BlockParameters> blocks;
  std::optional<NormParameters> norm;
};

struct ModelParameters {
  ModelPlan plan;
  Precision precision = Precision::kF32;
  Linear projection;  // float32: a thousandth of the work
  std::vector<StageParameters> stages;
};

// Reads and packs what the plan names, and nothing else. Source pages are given back to the
// operating system as soon as they are packed. `progress` is called with the share done, in (0, 1],
// and may throw to stop. Throws Error naming the tensor if it is missing, or if a value is infinite
// or NaN. The tensors' shapes must be the plan's (model/checkpoint_report.h).
ModelParameters LoadParameters(const Checkpoint& checkpoint, const ModelPlan& plan,
                               Precision precision,
                               const std::function<void(double)>& progress = {});

}  // namespace vggt
