// SPDX-License-Identifier: Apache-2.0
#include "analysis/stored_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "attention/logit_row.h"
#include "attention/request.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/half_rows.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

std::vector<int64_t> CountFrom(int64_t first, int64_t count) {
  std::vector<int64_t> tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

const QkBlocks& CheckRotation(const QkBlocks& blocks, bool before_rope) {
  if (before_rope && blocks.rope.type == RopeType::kApplied) {
    throw Error(
        "the stored queries and keys were rotated before they were stored, so that there "
        "is nothing from before RoPE");
  }
  return blocks;
}

}  // namespace

StoredRows::StoredRows(const QkStore& store, const QkBlocks& blocks, size_t layer, bool before_rope)
    : store_(store),
      blocks_(CheckRotation(blocks, before_rope)),
      layer_(layer),
      grid_(store.description().token_grid(blocks)),
      tensors_(store.Layer(blocks, layer)),
      rotation_(blocks, grid_, before_rope) {}

FloatBuffer StoredRows::OfHead(QkSide side, int64_t head, std::span<const int64_t> tokens) const {
  const uint16_t* stored = side == QkSide::kQuery ? tensors_.q : tensors_.k;
  FloatBuffer rows = rotation_.Rotated(stored + head * grid_.tokens() * blocks_.head_dim, tokens);
  if (!RowIsFinite(rows.data(), static_cast<int64_t>(rows.size()))) {
    ThrowNotFinite(store_.LayerPath(blocks_, layer_));
  }
  tensors_.mapping->CheckIntact();
  return rows;
}

FloatBuffer StoredRows::AllHeads(QkSide side, std::span<const int64_t> tokens) const {
  const auto dim = static_cast<size_t>(blocks_.head_dim), all = static_cast<size_t>(width());
  FloatBuffer joined(tokens.size() * all);
  ParallelFor(static_cast<size_t>(blocks_.heads), 1, [&](size_t head) {
    const FloatBuffer rows = OfHead(side, static_cast<int64_t>(head), tokens);
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::memcpy(joined.data() + i * all + head * dim, rows.data() + i * dim, dim * sizeof(float));
    }
  });
  return joined;
}

std::vector<double> StoredRows::FrameMeans(QkSide side, bool patches_only) const {
  const auto all = static_cast<size_t>(width());
  std::vector<double> means(static_cast<size_t>(grid_.frames) * all);
  ParallelFor(static_cast<size_t>(grid_.frames), 1, [&](size_t frame) {
    const auto at = static_cast<int64_t>(frame);
    const std::vector<int64_t> tokens =
        patches_only ? FramePatches(grid_, at) : FrameTokens(grid_, at);
    const FloatBuffer rows = AllHeads(side, tokens);
    double* mean = means.data() + frame * all;
    for (size_t i = 0; i < tokens.size(); ++i) {
      for (size_t c = 0; c < all; ++c) mean[c] += rows[i * all + c];
    }
    for (size_t c = 0; c < all; ++c) mean[c] /= static_cast<double>(tokens.size());
  });
  return means;
}

std::vector<int64_t> FramePatches(const TokenGrid& grid, int64_t frame) {
  return CountFrom(grid.first_patch(frame), grid.patches());
}

std::vector<int64_t> FrameTokens(const TokenGrid& grid, int64_t frame) {
  return CountFrom(grid.first_token(frame), grid.tokens_per_frame());
}

void ForEachSoftmaxRow(const FloatBuffer& q, const FloatBuffer& k, const QkBlocks& blocks,
                       const SoftmaxRowUse& row) {
  const int64_t dim = blocks.head_dim;
  const int64_t queries = static_cast<int64_t>(q.size()) / dim;
  const PackedKeys keys(static_cast<int64_t>(k.size()) / dim, k.data(), dim);
  const int64_t together = std::min(queries, kMostBlockRows);
  FloatBuffer values(static_cast<size_t>(RowBlockSize(together, keys.keys())));
  FloatBuffer logits(values.size()), scratch(static_cast<size_t>(RowBlockScratch(dim)));
  std::vector<float> normalizers(static_cast<size_t>(together));
  for (int64_t first = 0; first < queries; first += together) {
    const int64_t count = std::min(together, queries - first);
    LogitRows(count, q.data() + first * dim, keys, static_cast<float>(blocks.scale), scratch.data(),
              logits.data());
    std::copy_n(logits.data(), count * keys.stride(), values.data());
    SoftmaxRows(count, keys.keys(), keys.stride(), values.data(), normalizers.data());
    for (int64_t i = 0; i < count; ++i) {
      row(first + i, std::span(logits.data() + i * keys.stride(), keys.keys()),
          std::span<const float>(values.data() + i * keys.stride(), keys.keys()), normalizers[i]);
    }
  }
}

const QkBlocks& GlobalBlocksOfSeveral(const QkStore& store, const char* what) {
  const QkBlocks& blocks = BlocksOf(store.description(), BlockKind::kGlobal);
  if (store.description().frames < 2) {
    throw Error(fmt::format("{} needs at least two pictures, and there is one", what), "",
                "Export several pictures of a scene together.");
  }
  return blocks;
}

void ReleaseLayer(const QkStore& store, const QkBlocks& blocks, size_t layer) {
  const QkTensors tensors = store.Layer(blocks, layer);
  tensors.mapping->Release(0, tensors.mapping->bytes().size());
}

}  // namespace vggt
