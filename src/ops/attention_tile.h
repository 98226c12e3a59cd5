// SPDX-License-Identifier: Apache-2.0
// What the attention kernels share besides vector code: the sizes of their blocks, and plans. A
// plan holds the arguments of one call and where its packed keys and values lie; the functions that
// are compiled once per instruction set take it in place of a dozen arguments.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

#include "ops/amx.h"
#include "ops/attention.h"

namespace vggt::attention_tile {

// log2(e) / √head_dim: exp(q · k / √head_dim) = 2^(q · k · LogitScale).
inline float LogitScale(int64_t head_dim) {
  return static_cast<float>(std::log2(std::exp(1.0)) / std::sqrt(static_cast<double>(head_dim)));
}

// Some queries of one head of one batch entry: [row_begin, row_end). They see the first `keys`
// keys.
struct Task {
  int64_t batch, head, row_begin, row_end, keys;
};

// The tasks of a call. Those of a head are neighbours, so that its keys and values stay in the
// cache. None crosses the border of a causal group: all its queries see the same keys.
class TaskList {
 public:
  // `most_rows`: of a task.
  TaskList(const AttentionShape& shape, int64_t most_rows)
      : heads_(shape.heads),
        group_(shape.causal_group > 0 ? shape.causal_group : shape.tokens),
        rows_(most_rows),
        blocks_((group_ + most_rows - 1) / most_rows),
        of_head_(shape.tokens / group_ * blocks_),
        count_(shape.batch * shape.heads * of_head_) {}

  int64_t count() const { return count_; }
  Task operator[](int64_t i) const {
    const int64_t matrix = i / of_head_, part = i % of_head_;
    const int64_t first = part / blocks_ * group_, end = first + group_;
    const int64_t row = first + part % blocks_ * rows_;
    return {matrix / heads_, matrix % heads_, row, std::min(row + rows_, end), end};
  }

 private:
  int64_t heads_, group_, rows_, blocks_, of_head_, count_;
};

// One call of Attention.
struct Plan {
  int64_t tokens, heads, head_dim, token_stride;
  int64_t padded_tokens, padded_dim;  // of the packed keys and values
  const float *q, *k, *v;
  float *packed_keys,
      *packed_values;  // [batch, heads, padded_tokens × head_dim | tokens × padded_dim]
  float* out;

  const float* Token(const float* x, int64_t batch, int64_t token, int64_t head) const {
    return x + (batch * tokens + token) * token_stride + head * head_dim;
  }
  float* PackedKeys(int64_t batch, int64_t head) const {
    return packed_keys + (batch * heads + head) * padded_tokens * head_dim;
  }
  float* PackedValues(int64_t batch, int64_t head) const {
    return packed_values + (batch * heads + head) * tokens * padded_dim;
  }
};

// One call of AttentionBf16. Its packed values are pairs of bfloat16 in 32 bits.
struct Bf16Plan {
  int64_t tokens, heads, head_dim, token_stride;
  int64_t padded_tokens, padded_dim, head_pairs;
  float scale;  // LogitScale
  bool native;  // whether the processor multiplies bfloat16
  const float *q, *k, *v;
  // [batch, heads, padded_tokens × head_pairs | padded_tokens / 2 × padded_dim]
  uint32_t *packed_keys, *packed_values;
  uint16_t* out;

  const float* Token(const float* x, int64_t batch, int64_t token, int64_t head) const {
    return x + (batch * tokens + token) * token_stride + head * head_dim;
  }
  uint32_t* PackedKeys(int64_t batch, int64_t head) const {
    return packed_keys + (batch * heads + head) * padded_tokens * head_pairs;
  }
  uint32_t* PackedValues(int64_t batch, int64_t head) const {
    return packed_values + (batch * heads + head) * padded_tokens / 2 * padded_dim;
  }
};

// One call of AttentionAmx. Its arrays consist of matrix tiles (tile_unit.h): 16 rows of 16
// elements of 32 bits, each of which holds a float32 or a pair of bfloat16.
struct TilePlan {
  int64_t tokens, heads, head_dim, token_stride;
  int64_t padded_tokens;  // a multiple of kUnitKeys
  int64_t depth_tiles;    // of 32 channels, in a row of keys or queries
  int64_t value_tiles;    // of 16 channels, in a column of values
  int64_t task_rows;      // queries of a task, a multiple of kUnitQueries
  float scale;            // LogitScale
  bool native;            // whether the processor multiplies bfloat16 without tiles, too
  TileUnit tiles;         // what multiplies
  const float *q, *k, *v;
  uint32_t* packed_keys;    // [batch, heads, padded_tokens, depth_tiles · 16]: pairs of channels
  uint32_t* packed_values;  // [batch, heads, padded_tokens / 32, value_tiles, 16 channels, 16]:
                            // pairs of keys
  uint16_t* out;

  const float* Token(const float* x, int64_t batch, int64_t token, int64_t head) const {
    return x + (batch * tokens + token) * token_stride + head * head_dim;
  }
  uint32_t* PackedKeys(int64_t batch, int64_t head) const {
    return packed_keys + (batch * heads + head) * padded_tokens * depth_tiles * 16;
  }
  uint32_t* PackedValues(int64_t batch, int64_t head) const {
    return packed_values + (batch * heads + head) * padded_tokens / 2 * value_tiles * 16;
  }
};

// One call of ProbeAttention.
struct ProbePlan {
  int64_t heads, head_dim, token_stride;
  int64_t padded_keys, rows_together;  // rows of a task: whole groups of kRowGroup or kTileGroup
  int64_t depth_tiles;                 // tiles of 32 channels in a vector
  std::optional<TileUnit> tiles;       // if matrix tiles multiply: which
  const float *q, *k;
  std::span<const int32_t> rows, keys;  // keys that rows see
  int64_t row_size;                     // of a row of `out`: zeros follow the keys
  int64_t key_size;                     // floats of a packed key
  float* packed_keys;                   // [heads, padded_keys × key_size]
  bool average_heads;
  float* out;

  const float* Token(const float* x, int64_t token, int64_t head) const {
    return x + token * token_stride + head * head_dim;
  }
  float* PackedKeys(int64_t head) const { return packed_keys + head * padded_keys * key_size; }
  float* Row(int64_t row, int64_t head) const {
    return out + (average_heads ? row : row * heads + head) * row_size;
  }
};

// Queries of a task, and keys of a step. At head_dim 64 a step uses 96 KB of probabilities, 64 KB
// of keys, 64 KB of values, and 24 KB each of queries and sums: they stay in the second-level
// cache. In bfloat16 all but the sums take half.
inline constexpr int64_t kRows = 96;
inline constexpr int64_t kKeys = 256;
// Rows whose logits are computed together. Their logits of a step, 6 KB, become probabilities while
// they are in the first-level cache.
inline constexpr int64_t kRowGroup = 6;
// Packed arrays are padded for the widest instruction set: keys to its tile of 4 vectors, the
// channels of values to its vector.
inline constexpr int64_t kKeyPadding = 64;
inline constexpr int64_t kDimPadding = 16;
inline constexpr int64_t kMostLanes = 16;  // floats in the widest vector

// Elements of 32 bits in a matrix tile.
inline constexpr int64_t kTileSize = 256;
// Vectors that float_tiles-inl.h packs together.
inline constexpr int64_t kTileGroup = 32;
inline int64_t DepthTiles(int64_t dim) { return (dim + 31) / 32; }
// Floats that a packed vector of `dim` float32 takes. On tiles a channel is three bfloat16.
inline int64_t PackedSize(std::optional<TileUnit> tiles, int64_t dim) {
  return tiles ? DepthTiles(dim) * 48 : dim;
}
// What attention_amx.cc computes at a time, and the most queries of its tasks.
inline constexpr int64_t kUnitQueries = 32;
inline constexpr int64_t kUnitKeys = 64;
inline constexpr int64_t kMostTaskRows = 256;

// Floats of working memory that a thread needs.
inline int64_t ScratchSize(const Plan& plan) {
  return kRows * (plan.head_dim + kKeys + plan.padded_dim + 2);
}

inline int64_t ScratchSize(const Bf16Plan& plan) {
  return kRowGroup * kKeys +
         kRows * (plan.padded_dim + 1 + kMostLanes + plan.head_pairs + kKeys / 2);
}

inline int64_t ScratchSize(const TilePlan& plan) {
  // Queries, sums, maxima and totals of a task; twice the logits, probabilities and scales of a
  // unit.
  return plan.task_rows * (plan.depth_tiles * 16 + plan.value_tiles * 16 + 2) +
         2 * kUnitQueries * (kUnitKeys + kUnitKeys / 2 + 1);
}

}  // namespace vggt::attention_tile
