// SPDX-License-Identifier: Apache-2.0
// Queries and keys of one layer as float32, for numbers that need products of chosen tokens rather
// than rows of attention.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "attention/rotation.h"
#include "core/tensor.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What of a token: its query or its key.
enum class QkSide { kQuery, kKey };

// Any number of threads may read the same rows at once. What is read is checked: the methods throw
// Error naming the layer's file if a value is infinite or not a number, or if the file was changed.
class StoredRows {
 public:
  // `layer` is a place in blocks.layers, and `blocks` one of the store's description; both and
  // `store` outlive this. Throws Error like QkStore::Layer, and if what was before RoPE is wanted
  // of a store that holds rotated values.
  StoredRows(const QkStore& store, const QkBlocks& blocks, size_t layer, bool before_rope);

  const QkBlocks& blocks() const { return blocks_; }
  const TokenGrid& grid() const { return grid_; }
  // heads · head_dim
  int64_t width() const { return blocks_.heads * blocks_.head_dim; }

  // [tokens.size(), head_dim] of a head, counted from 0; `tokens` are places in the sequence of all
  // frames' tokens.
  FloatBuffer OfHead(QkSide side, int64_t head, std::span<const int64_t> tokens) const;
  // [tokens.size(), width]: all heads side by side, so that one product of two such rows is the sum
  // of the heads' products.
  FloatBuffer AllHeads(QkSide side, std::span<const int64_t> tokens) const;
  // [frames, width]: the mean of each frame's tokens, or of its patches alone.
  std::vector<double> FrameMeans(QkSide side, bool patches_only) const;

 private:
  const QkStore& store_;
  const QkBlocks& blocks_;
  const size_t layer_;
  const TokenGrid grid_;
  const QkTensors tensors_;
  const RowRotation rotation_;
};

// The patches of a frame, or all its tokens, as places in the sequence of all frames' tokens.
std::vector<int64_t> FramePatches(const TokenGrid& grid, int64_t frame);
std::vector<int64_t> FrameTokens(const TokenGrid& grid, int64_t frame);

// Calls row(i, logits, probabilities, ln Σ exp(logits)) for each query i, in order: the softmax
// over the keys `k` alone. q, k: [n, head_dim] of one head, after RoPE.
using SoftmaxRowUse = std::function<void(int64_t i, std::span<const float> logits,
                                         std::span<const float> probabilities, double normalizer)>;
void ForEachSoftmaxRow(const FloatBuffer& q, const FloatBuffer& k, const QkBlocks& blocks,
                       const SoftmaxRowUse& row);

// Throws Error if the store has no global blocks or holds one picture alone: `what` ("a match
// score") needs two.
const QkBlocks& GlobalBlocksOfSeveral(const QkStore& store, const char* what);

// What was read of a layer's file counts as this process's memory no longer; read again, it is as
// before. For passes that go from layer to layer.
void ReleaseLayer(const QkStore& store, const QkBlocks& blocks, size_t layer);

}  // namespace vggt
