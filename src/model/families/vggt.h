// SPDX-License-Identifier: Apache-2.0
// VGGT (Wang et al., CVPR 2025), without its prediction heads (model/heads_plan.h): a picture
// encoder, DINOv2 with registers or a bare patch convolution, then frame and global blocks by
// turns. StreamVGGT (Zhuo et al., 2025) has the same tensors, and attends to no later picture.
#pragma once

#include <string>
#include <string_view>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

inline constexpr int64_t kVggtPatchSize = 14;  // pixels
// The name by which a VGGT is recognised in a checkpoint.
inline constexpr std::string_view kVggtAnchor = "global_blocks.0.attn.qkv.weight";

// VGGT-1B: dim 1024, depth 24, head_dim 64, hidden 4096, 4 registers, encoder_depth 24.
struct VggtExtents {
  int64_t dim = 0;            // channels of a token
  int64_t depth = 0;          // global blocks; as many frame blocks
  int64_t head_dim = 0;       // channels of a head, a multiple of 4
  int64_t hidden = 0;         // channels between the two layers of an MLP
  int64_t registers = 0;      // special tokens of a frame beside the camera's
  bool has_encoder = false;   // false: a bare patch convolution, and the following are 0
  int64_t encoder_depth = 0;  // blocks of DINOv2
  int64_t encoder_registers = 0;
  int64_t position_grid = 0;  // side of DINOv2's position embedding, in patches
};

// `prefix`: what stands before every name in the checkpoint.
ModelPlan VggtPlan(const VggtExtents& extents, const std::string& prefix = "aggregator.");
ModelPlan StreamVggtPlan(const VggtExtents& extents, const std::string& prefix = "aggregator.");

// Read off the names and shapes of the tensors. Throws Error naming the tensor if an extent cannot
// be read, or if extents contradict each other.
VggtExtents ReadVggtExtents(const Checkpoint& checkpoint, const std::string& prefix);

}  // namespace vggt
