// SPDX-License-Identifier: Apache-2.0
#include "model/workspace.h"

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

Workspace::Workspace(const ModelConfig& config, int64_t tokens)
    : mlp_rows(MlpRows(tokens)),
      normed(tokens * config.dim),
      qkv(tokens * 3 * config.dim),
      hidden(mlp_rows * config.hidden) {}

}  // namespace vggt
