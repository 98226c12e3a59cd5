// SPDX-License-Identifier: Apache-2.0
#include "model/block.h"

#include <algorithm>

#include "kernels/attention_bf16.h"
#include "kernels/rowwise.h"

namespace vggt {
namespace {

template <typename T>
void Normalize(const NormParameters& norm, int64_t rows, int64_t dim, const float* x, T* y) {
  LayerNorm(rows, dim, x, norm.weight.data(), norm.bias.data(), norm.eps, y);
}

void Attend(const AttentionShape& shape, const float* q, const float* k, const float* v, float* out,
            const AttentionProbe* probe, AttentionWorkspace& workspace) {
  Attention(shape, q, k, v, out, probe, workspace);
}

void Attend(const AttentionShape& shape, const float* q, const float* k, const float* v,
            uint16_t* out, const AttentionProbe* probe, AttentionWorkspace& workspace) {
  AttentionBf16(shape, q, k, v, out, probe, workspace);
}

// T: what goes from one kernel to the next.
template <typename T>
void RunBlockIn(BlockBuffers<T>& buffers, const BlockParameters& block, const ModelConfig& config,
                const Sequences& sequences, const TokenPositions* positions,
                const BlockWatch& watch, Workspace& workspace) {
  const int64_t dim = config.dim, tokens = sequences.batch * sequences.tokens;
  const int64_t heads = dim / block.head_dim, stride = block.qkv.out();
  float *x = sequences.x, *q = workspace.qkv.data(), *k = q + dim, *v = k + dim;
  T* normed = buffers.normed.data();

  // q, k, v = qkv(norm1(x)); q and k normalised per head, then rotated
  Normalize(block.norm1, tokens, dim, x, normed);
  block.qkv.Run(tokens, normed, q);
  if (block.q_norm) {
    LayerNormHeads(tokens, heads, block.head_dim, stride, q, block.q_norm->weight.data(),
                   block.q_norm->bias.data(), block.q_norm->eps);
    LayerNormHeads(tokens, heads, block.head_dim, stride, k, block.k_norm->weight.data(),
                   block.k_norm->bias.data(), block.k_norm->eps);
  }
  const QueriesKeys qk{q, k, tokens, heads, block.head_dim, stride};
  if (watch.unrotated) watch.unrotated(qk);
  if (positions != nullptr) {
    Rope(positions->table, tokens, heads, stride, positions->yx.data(), q);
    Rope(positions->table, tokens, heads, stride, positions->yx.data(), k);
  }
  if (watch.queries_keys) watch.queries_keys(qk);

  // a = softmax(q kᵀ / √d) v
  const AttentionShape shape{sequences.batch, sequences.tokens, heads, block.head_dim, stride};
  if (!block.rest) {
    if (watch.probe != nullptr) {
      Attention(shape, q, k, nullptr, nullptr, watch.probe, workspace.attention);
    }
    return;
  }
  T* attended = normed;
  Attend(shape, q, k, v, attended, watch.probe, workspace.attention);

  // x += ls1 · proj(a)
  block.rest->proj.Run(tokens, attended, x);

  // x += ls2 · fc2(gelu(fc1(norm2(x))))
  for (int64_t row = 0; row < tokens; row += workspace.mlp_rows) {
    const int64_t rows = std::min(workspace.mlp_rows, tokens - row);
    Normalize(block.rest->norm2, rows, dim, x + row * dim, normed);
    block.rest->fc1.Run(rows, normed, buffers.hidden.data());
    block.rest->fc2.Run(rows, buffers.hidden.data(), x + row * dim);
  }
}

}  // namespace

void RunBlock(const BlockParameters& block, const ModelConfig& config, const Sequences& sequences,
              const TokenPositions* positions, const BlockWatch& watch, Workspace& workspace) {
  std::visit(
      [&](auto& buffers) {
        RunBlockIn(buffers, block, config, sequences, positions, watch, workspace);
      },
      workspace.between);
}

}  // namespace vggt
