// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/block.h"

#include <algorithm>
#include <atomic>
#include <numbers>

#include "core/parallel.h"
#include "ops/attention_bf16.h"
#include "ops/rowwise.h"
#include "ops/swiglu.h"

namespace vggt {
namespace {

template <typename T>
void Normalize(const NormParameters& norm, int64_t rows, int64_t dim, const float* x, T* y) {
  LayerNorm(rows, dim, x, norm.weight.data(), norm.bias.data(), norm.eps, y);
}

void NormalizeHeads(const NormParameters& norm, int64_t tokens, int64_t heads, int64_t head_dim,
                    int64_t stride, float* x) {
  LayerNormHeads(tokens, heads, head_dim, stride, x, norm.weight.data(), norm.bias.data(),
                 norm.eps);
}

// Calls body(first, count) for pieces of the tokens, on all threads: what it does to a piece finds
// it in the second-level cache each time but the first.
template <typename Body>
void ForPieces(int64_t tokens, const Body& body) {
  constexpr int64_t kPiece = 32;  // 256 KB of q and k at 1024 channels
  ParallelFor((tokens + kPiece - 1) / kPiece, 1, [&](size_t i) {
    const int64_t first = static_cast<int64_t>(i) * kPiece;
    body(first, std::min(kPiece, tokens - first));
  });
}

// Below it, products of up to 2^14 channels are finite, also after the rotation.
constexpr float kLargestQueryOrKey = 0x1p56F;

void Attend(const AttentionShape& shape, const float* q, const float* k, const float* v, float* out,
            AttentionWorkspace& workspace) {
  Attention(shape, q, k, v, out, workspace);
}

void Attend(const AttentionShape& shape, const float* q, const float* k, const float* v,
            uint16_t* out, AttentionWorkspace& workspace) {
  AttentionBf16(shape, q, k, v, out, workspace);
}

RopeTable TableOf(const RotarySpec& rope, int64_t head_dim, const TokenGrid& grid,
                  const FloatBuffer& periods) {
  const int64_t longer = std::max(grid.height, grid.width);
  if (rope.kind != Rotary::kDinov3) {
    const int64_t last = rope.kind == Rotary::kNodiff ? 1 : longer - 1 + rope.first_patch;
    return {head_dim, static_cast<int32_t>(last), rope.base};
  }
  // Position 0 is that of special tokens, i + 1 that of row or column i.
  std::vector<double> angles(periods.size());
  for (int64_t i = 0; i < longer; ++i) {
    const double at = (2 * static_cast<double>(i) + 1) / static_cast<double>(longer) - 1;
    for (const float period : periods.span()) angles.push_back(2 * std::numbers::pi * at / period);
  }
  return {head_dim, angles, RopePairs::kAcross};
}

// T: what goes from one kernel to the next.
template <typename T>
bool RunBlockIn(BlockBuffers<T>& buffers, const BlockSpec& spec, const BlockParameters& block,
                const TokenGrid& grid, float* x, const TokenPositions* positions,
                const BlockWatch& watch, Workspace& workspace) {
  const int64_t heads = spec.heads, head_dim = spec.head_dim, dim = heads * head_dim;
  const int64_t tokens = grid.tokens(), stride = spec.qkv.out;
  float *q = workspace.qkv.data(), *k = q + dim, *v = k + dim;
  T* normed = buffers.normed.data();

  // q, k, v = qkv(norm1(x)); q and k normalised per head, then rotated
  Normalize(block.norm1, tokens, dim, x, normed);
  block.qkv.Run(tokens, normed, q, workspace.products);
  std::atomic<bool> usable{true};
  const auto normalize = [&](int64_t token, int64_t count) {
    if (block.q_norm) {
      NormalizeHeads(*block.q_norm, count, heads, head_dim, stride, q + token * stride);
      NormalizeHeads(*block.k_norm, count, heads, head_dim, stride, k + token * stride);
    }
    if (!AllBelow(count, 2 * dim, stride, q + token * stride, kLargestQueryOrKey)) usable = false;
  };
  const auto rotate = [&](int64_t token, int64_t count) {
    if (positions == nullptr) return;
    const int32_t* yx = positions->yx.data() + 2 * token;
    Rope(positions->table, count, heads, stride, yx, q + token * stride);
    Rope(positions->table, count, heads, stride, yx, k + token * stride);
  };
  const QueriesKeys qk{q, k, grid, heads, head_dim, stride};
  const bool stored_rotated = spec.rope.stored().type == RopeType::kApplied;
  if (watch.unrotated && !stored_rotated) {
    ForPieces(tokens, normalize);
    if (!usable) return false;
    watch.unrotated(qk);
    ForPieces(tokens, rotate);
  } else {
    ForPieces(tokens, [&](int64_t token, int64_t count) {
      normalize(token, count);
      rotate(token, count);
    });
    if (!usable) return false;
    if (watch.unrotated) watch.unrotated(qk);
  }
  if (watch.queries_keys) watch.queries_keys(qk);

  if (!block.rest) return true;

  // a = softmax(q kᵀ / √d) v
  const int64_t frame = grid.tokens_per_frame();
  const bool together = spec.attends != Attends::kFrame;
  const AttentionShape shape{.batch = together ? 1 : grid.frames,
                             .tokens = together ? tokens : frame,
                             .heads = heads,
                             .head_dim = head_dim,
                             .token_stride = stride,
                             .causal_group = spec.attends == Attends::kCausal ? frame : 0};
  T* attended = normed;
  Attend(shape, q, k, v, attended, workspace.attention);

  // x += ls1 · proj(a)
  block.rest->proj.Run(tokens, attended, x, workspace.products);

  // x += ls2 · mlp(norm2(x))
  for (int64_t row = 0; row < tokens; row += workspace.mlp_rows) {
    const int64_t rows = std::min(workspace.mlp_rows, tokens - row);
    Normalize(block.rest->norm2, rows, dim, x + row * dim, normed);
    block.rest->fc1.Run(rows, normed, buffers.hidden.data(), workspace.products);
    T* hidden = buffers.hidden.data();
    if (spec.rest->gated) {
      SwiGlu(rows, spec.rest->fc2.in, hidden, buffers.gated.data());
      hidden = buffers.gated.data();
    }
    block.rest->fc2.Run(rows, hidden, x + row * dim, workspace.products);
  }
  if (!watch.output) return true;
  const FloatBuffer& grams = block.rest->output_grams;
  watch.output({x, dim, v, grams.data(), grid, heads, head_dim, stride});
  return true;
}

}  // namespace

TokenPositions::TokenPositions(const RotarySpec& rope, int64_t head_dim, const TokenGrid& grid,
                               const FloatBuffer& periods)
    : table(TableOf(rope, head_dim, grid, periods)),
      yx(RopePositions(grid, rope.kind == Rotary::kVggt ? rope.first_patch : 1)) {
  if (rope.kind != Rotary::kNodiff) return;
  for (int32_t& position : yx) position = std::min(position, 1);
}

bool RunBlock(const BlockSpec& spec, const BlockParameters& block, const TokenGrid& grid, float* x,
              const TokenPositions* positions, const BlockWatch& watch, Workspace& workspace) {
  return std::visit(
      [&](auto& buffers) {
        return RunBlockIn(buffers, spec, block, grid, x, positions, watch, workspace);
      },
      workspace.between);
}

}  // namespace vggt
