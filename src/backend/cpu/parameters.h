// SPDX-License-Identifier: Apache-2.0
// The weights of an aggregator, converted and packed once; const from then on. Precision concerns
// the weights of the blocks' linear layers; all others are float32.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "backend/cpu/linear.h"
#include "model/config.h"

namespace vggt {

struct NormParameters {
  FloatBuffer weight, bias;
  float eps = 0;
};

// One pre-norm transformer block. LayerScale is folded into proj and fc2, which add their result to
// the residual stream.
struct BlockParameters {
  // Absent in the last block that is wanted: only its queries and keys are computed.
  struct Rest {
    Linear proj;
    NormParameters norm2;
    Linear fc1, fc2;
  };
  int64_t head_dim = 0;
  NormParameters norm1;
  std::optional<NormParameters> q_norm, k_norm;
  Linear qkv;  // [3·dim]; only q and k, [2·dim], if there is no rest
  std::optional<Rest> rest;
};

struct EncoderParameters {
  Linear projection;  // [dim, 3·14·14]: the patch convolution, float32: a thousandth of the work
  // Only of DINOv2:
  FloatBuffer cls_token, register_tokens;  // [dim], [encoder_registers, dim]
  FloatBuffer pos_embed;                   // [1 + grid², dim]: cls token, then row by row
  std::vector<BlockParameters> blocks;
  std::optional<NormParameters> norm;
};

struct AggregatorParameters {
  Precision precision = Precision::kF32;
  FloatBuffer camera_token;    // [2, dim]: first frame, all others
  FloatBuffer register_token;  // [2, registers, dim]
  EncoderParameters encoder;
  std::vector<BlockParameters> frame_blocks, global_blocks;
};

// Reads and packs what is needed for the queries and keys of global blocks 0 … last_layer, for -1
// the encoder alone; nothing beyond is read. Source pages are given back to the operating system as
// soon as they are packed. `progress` is called with the share done, in (0, 1], and may throw to
// stop. Throws Error naming the tensor if a value is infinite or NaN.
AggregatorParameters LoadParameters(const Checkpoint& checkpoint, const ModelConfig& config,
                                    int64_t last_layer, Precision precision,
                                    const std::function<void(double)>& progress = {});

}  // namespace vggt
