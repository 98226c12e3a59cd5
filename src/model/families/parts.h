// SPDX-License-Identifier: Apache-2.0
// Parts that models of several families have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

// Extents that must be there.
class ExtentReader {
 public:
  // The checkpoint must outlive it.
  explicit ExtentReader(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  // The extent `dim` of the named tensor. Throws Error naming it if it is missing, too large or has
  // other dimensions than the `rank` ones that `shape` writes out.
  int64_t Of(const std::string& name, size_t rank, size_t dim, const char* shape) const;
  // Of a position embedding [1, 1 + grid², channels] the grid, at least 1.
  int64_t PositionGrid(const std::string& name) const;
  // Throws Error unless heads of head_dim make up dim. head_dim must be a multiple of 4.
  void CheckHeads(int64_t dim, int64_t head_dim) const;
  // The same of DINOv2's heads.
  void CheckDinov2Heads(int64_t dim) const;

 private:
  const Checkpoint& checkpoint_;
};

// "register_1", "register_2", …
std::vector<std::string> RegisterNames(int64_t registers);

// What the blocks of a stage have in common.
struct BlockExtents {
  int64_t dim = 0, head_dim = 0;
  int64_t hidden = 0;  // channels between the two layers of an MLP
  float eps = 0;       // of norm1 and norm2
  bool qk_norm = false;
  bool gated = false;  // an MLP with SwiGLU: mlp.w12 and mlp.w3 instead of mlp.fc1 and mlp.fc2
};

// A block whose tensors are named as DINOv2's are, PREFIX + "norm1.weight" …, with LayerScale. It
// has no RoPE, and attends to all tokens if it is global.
BlockSpec Dinov2Block(const BlockExtents& extents, BlockId id, const std::string& prefix);

// DINOv2's heads have 64 channels, whatever its width.
inline constexpr int64_t kDinov2HeadDim = 64;

// DINOv2 with registers as a picture encoder.
struct Dinov2Extents {
  int64_t dim = 0, depth = 0, hidden = 0, registers = 0;
  int64_t position_grid = 0;  // side of its position embedding, in patches
};
StageSpec Dinov2Encoder(const Dinov2Extents& extents, const std::string& prefix);
Dinov2Extents ReadDinov2Extents(const Checkpoint& checkpoint, const std::string& prefix);

// A patch convolution.
LinearSpec PatchConvolution(const std::string& name, int64_t patch_size, int64_t dim);

}  // namespace vggt
