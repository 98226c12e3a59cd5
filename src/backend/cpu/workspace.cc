// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/workspace.h"

#include <algorithm>

namespace vggt {
namespace {

constexpr int64_t kMostMlpRows = 2048;

// Equal pieces, so that no small one is left over at the end.
int64_t MlpRows(int64_t tokens) {
  const int64_t pieces = std::max<int64_t>((tokens + kMostMlpRows - 1) / kMostMlpRows, 1);
  return (tokens + pieces - 1) / pieces;
}

}  // namespace

Workspace::Workspace(const ModelConfig& config, int64_t tokens, Precision precision)
    : mlp_rows(MlpRows(tokens)), qkv(tokens * 3 * config.dim) {
  const size_t normed = tokens * config.dim, hidden = mlp_rows * config.hidden;
  if (precision == Precision::kBf16) {
    between = BlockBuffers<uint16_t>{Bf16Buffer(normed), Bf16Buffer(hidden)};
  } else {
    between = BlockBuffers<float>{FloatBuffer(normed), FloatBuffer(hidden)};
  }
}

}  // namespace vggt
