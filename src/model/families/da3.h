// SPDX-License-Identifier: Apache-2.0
// Depth Anything 3 (Lin et al., arXiv:2511.10647), without its heads: one DINOv2 without registers,
// whose first blocks are the encoder. From the first block with norms of queries and keys on, odd
// blocks see all frames and even ones a frame each, and a camera token stands in place of the class
// token. Models for one picture (mono, metric) have no such blocks: all of them are the encoder's.
#pragma once

#include <string>
#include <string_view>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

inline constexpr int64_t kDa3PatchSize = 14;  // pixels
// The names by which these models are recognised in a checkpoint: of those for several pictures,
// and of all.
inline constexpr std::string_view kDa3Anchor = "backbone.pretrained.camera_token";
inline constexpr std::string_view kDa3MonoAnchor = "backbone.pretrained.cls_token";

// Small: dim 384, depth 12, start 4. Base: 768, 12, 4. Large: 1024, 24, 8. Giant: 1536, 40, 13,
// gated. Hidden is 4 · dim, of giant 4096. Mono and metric: 1024, 24, no start.
struct Da3Extents {
  int64_t dim = 0;            // channels of a token
  int64_t depth = 0;          // all blocks
  int64_t start = 0;          // the first that is not the encoder's, at least 1; depth: none
  int64_t head_dim = 64;      // channels of a head, a multiple of 4
  int64_t hidden = 0;         // channels before the last layer of an MLP
  bool gated = false;         // SwiGLU
  int64_t position_grid = 0;  // side of the position embedding, in patches
};

// `prefix`: what stands before every name in the checkpoint.
ModelPlan Da3Plan(const Da3Extents& extents, const std::string& prefix = "model.");

// Read off the names and shapes of the tensors. Throws Error naming the tensor if an extent cannot
// be read, or if extents contradict each other.
Da3Extents ReadDa3Extents(const Checkpoint& checkpoint, const std::string& prefix);

}  // namespace vggt
