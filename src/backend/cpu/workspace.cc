// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/workspace.h"

#include <algorithm>
#include <vector>

namespace vggt {
namespace {

constexpr int64_t kMostMlpRows = 2048;

// Equal pieces, so that no small one is left over at the end.
int64_t MlpRows(int64_t tokens) {
  const int64_t pieces = std::max<int64_t>((tokens + kMostMlpRows - 1) / kMostMlpRows, 1);
  return (tokens + pieces - 1) / pieces;
}

std::vector<BlockSpec> AllBlocks(const ModelPlan& plan) {
  std::vector<BlockSpec> blocks;
  for (const StageSpec& stage : plan.stages) {
    blocks.insert(blocks.end(), stage.blocks.begin(), stage.blocks.end());
  }
  return blocks;
}

}  // namespace

Workspace::Workspace(const ModelPlan& plan, int64_t tokens, Precision precision)
    : Workspace(AllBlocks(plan), plan.dim(), tokens, precision) {}

Workspace::Workspace(std::span<const BlockSpec> blocks, int64_t dim, int64_t tokens,
                     Precision precision)
    : mlp_rows(MlpRows(tokens)) {
  int64_t widest_qkv = 0, widest_hidden = 0, widest_gated = 0;
  for (const BlockSpec& block : blocks) {
    widest_qkv = std::max(widest_qkv, block.qkv.out);
    if (!block.rest) continue;
    widest_hidden = std::max(widest_hidden, block.rest->fc1.out);
    if (block.rest->gated) widest_gated = std::max(widest_gated, block.rest->fc2.in);
  }
  qkv = FloatBuffer(tokens * widest_qkv);
  const size_t normed = tokens * dim, hidden = mlp_rows * widest_hidden,
               gated = mlp_rows * widest_gated;
  if (precision == Precision::kBf16) {
    between = BlockBuffers<uint16_t>{Bf16Buffer(normed), Bf16Buffer(hidden), Bf16Buffer(gated)};
  } else {
    between = BlockBuffers<float>{FloatBuffer(normed), FloatBuffer(hidden), FloatBuffer(gated)};
  }
}

}  // namespace vggt
