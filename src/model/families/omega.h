// SPDX-License-Identifier: Apache-2.0
// VGGT-Omega (facebookresearch/vggt-omega), without its heads: DINOv3 as picture encoder, then
// frame blocks with its rotary embedding and blocks between frames without any, by turns. Of the
// latter some are register blocks, through which special tokens alone pass.
#pragma once

#include <string>
#include <string_view>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

inline constexpr int64_t kOmegaPatchSize = 16;  // pixels
// The name by which a VGGT-Omega is recognised in a checkpoint.
inline constexpr std::string_view kOmegaAnchor = "inter_frame_blocks.0.attn.qkv.weight";

// VGGT-Omega 1B: dim 1024, depth 24, head_dim 64, hidden 4096, 16 registers, encoder_depth 24.
struct OmegaExtents {
  int64_t dim = 0;               // channels of a token
  int64_t depth = 0;             // blocks between frames; as many frame blocks
  int64_t head_dim = 0;          // channels of a head, a multiple of 4
  int64_t hidden = 0;            // channels between the two layers of an MLP
  int64_t registers = 0;         // special tokens of a frame beside the camera's
  int64_t encoder_depth = 0;     // blocks of DINOv3
  int64_t encoder_head_dim = 0;  // a multiple of 4
  int64_t storage_tokens = 0;    // the encoder's registers
  bool bias_masks = true;        // false: biases are whole, but for keys, which have none
};

// `prefix`: what stands before every name in the checkpoint.
ModelPlan OmegaPlan(const OmegaExtents& extents, const std::string& prefix = "aggregator.");

// Read off the names and shapes of the tensors. Throws Error naming the tensor if an extent cannot
// be read, or if extents contradict each other.
OmegaExtents ReadOmegaExtents(const Checkpoint& checkpoint, const std::string& prefix);

}  // namespace vggt
