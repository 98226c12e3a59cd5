// SPDX-License-Identifier: Apache-2.0
// Pi3 and, of pictures alone, Pi3X (Wang et al., arXiv:2507.13347): DINOv2 with registers as
// encoder, then one list of blocks, of which even ones see a frame each and odd ones all frames. No
// frame is the reference: if pictures change places, so do all results, and nothing else changes.
#pragma once

#include <string>
#include <string_view>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

inline constexpr int64_t kPi3PatchSize = 14;  // pixels
// The name by which a Pi3 is recognised in a checkpoint.
inline constexpr std::string_view kPi3Anchor = "decoder.0.attn.qkv.weight";

// Pi3: dim 1024, depth 36, head_dim 64, hidden 4096, 5 registers, encoder_depth 24.
struct Pi3Extents {
  int64_t dim = 0;          // channels of a token
  int64_t depth = 0;        // blocks after the encoder
  int64_t head_dim = 0;     // channels of a head of these, a multiple of 4
  int64_t hidden = 0;       // channels between the two layers of an MLP
  int64_t registers = 0;    // special tokens of a frame
  bool takes_rays = false;  // Pi3X
  int64_t encoder_depth = 0;
  int64_t encoder_registers = 0;
  int64_t position_grid = 0;  // side of the encoder's position embedding, in patches
};

// `prefix`: what stands before every name in the checkpoint.
ModelPlan Pi3Plan(const Pi3Extents& extents, const std::string& prefix = "");

// Read off the names and shapes of the tensors. Throws Error naming the tensor if an extent cannot
// be read, or if extents contradict each other.
Pi3Extents ReadPi3Extents(const Checkpoint& checkpoint, const std::string& prefix);

}  // namespace vggt
