// SPDX-License-Identifier: Apache-2.0
// Whole rows of one head's attention matrix, a block of queries at a time, for whoever wants each
// value: the logits, and the softmax over them. Attention (attention.h) never has a whole row in
// memory.
#pragma once

#include <cstdint>
#include <optional>

#include "core/tensor.h"
#include "ops/amx.h"

namespace vggt {

// The most rows of a block.
inline constexpr int64_t kMostBlockRows = 96;

// The keys of one head in the order in which products read them.
class PackedKeys {
 public:
  // k [keys, dim], at least one key. Copies them, on all threads. Their products are computed on
  // BestTileUnit() (attention_amx.h).
  PackedKeys(int64_t keys, const float* k, int64_t dim);
  // The same for the given tiles, or for vectors if there are none, for comparisons.
  PackedKeys(std::optional<TileUnit> tiles, int64_t keys, const float* k, int64_t dim);

  int64_t keys() const { return keys_; }
  int64_t dim() const { return dim_; }
  std::optional<TileUnit> tiles() const { return tiles_; }
  // Floats from one row of a block to the next: `keys`, and at most 63 that mean nothing.
  int64_t stride() const { return Stride(keys_); }
  static int64_t Stride(int64_t keys);
  const float* data() const { return packed_.data(); }

 private:
  std::optional<TileUnit> tiles_;
  int64_t keys_, dim_;
  FloatBuffer packed_;
};

// Floats that `out` of LogitRows needs, which computes six rows together, and that its scratch
// needs.
int64_t RowBlockSize(int64_t rows, int64_t keys);
int64_t RowBlockScratch(int64_t dim);

// out[i · stride + j] = q[i] · k[j] · scale, for i < rows ≤ kMostBlockRows and j < keys; q [rows,
// dim]. Sums are float32 and do not depend on which rows are computed together. Serial: callers
// share out the blocks.
void LogitRows(int64_t rows, const float* q, const PackedKeys& k, float scale, float* scratch,
               float* out);

// Turns rows of logits into probabilities, in place: values[i, j] = exp(values[i, j] -
// log_normalizers[i]), where log_normalizers[i] = ln Σ_j exp(values[i, j]). Each row is shifted by
// its maximum first; sums are double. Relative error below 2e-6; what is less than exp(-87) of the
// row's largest becomes about that. Logits must be finite. Serial.
void SoftmaxRows(int64_t rows, int64_t keys, int64_t stride, float* values, float* log_normalizers);

}  // namespace vggt
