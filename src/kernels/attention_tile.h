// SPDX-License-Identifier: Apache-2.0
// What attention.cc shares with the code that it compiles once per instruction set.
#pragma once

#include <cstdint>
#include <span>

namespace vggt::attention_tile {

// Keys that stand together in the attention matrix and in the probe's output.
struct KeyRun {
  int64_t first = 0, count = 0;  // in tokens
  int64_t out = 0;               // in the probe's row
};

// One task: a block of query rows of one batch entry, for the heads [head_begin, head_end).
struct Task {
  int64_t batch = 0, row_begin = 0, row_end = 0, head_begin = 0, head_end = 0;
};

// Everything about one call that does not change from task to task.
struct Plan {
  int64_t tokens, heads, head_dim, token_stride;
  int64_t padded_tokens, padded_dim;  // of the packed keys and values
  const float *q, *k, *v;
  float *packed_keys,
      *packed_values;  // [batch, heads, padded_tokens × head_dim | tokens × padded_dim]
  float* out;
  std::span<const int32_t> probe_rows;
  std::span<const KeyRun> probe_runs;
  int64_t probe_keys;
  bool average_heads;
  float* probe_out;

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

// The same for products of bfloat16, which stand in pairs. Probed rows are not its business.
struct Bf16Plan {
  int64_t tokens, heads, head_dim, token_stride;
  int64_t padded_tokens, padded_dim, head_pairs;
  float scale;  // of q · k, for powers of two
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

// Queries of a task and keys of a step: the probabilities of a step (96 KB) and the step's keys and
// values (64 KB each at head_dim 64) stay in the second-level cache.
inline constexpr int64_t kRows = 96;
inline constexpr int64_t kKeys = 256;
// Rows whose logits are computed together and become probabilities while they are in the
// first-level cache.
inline constexpr int64_t kRowGroup = 6;
// Packed keys and values are padded to whole vectors of the widest instruction set.
inline constexpr int64_t kKeyPadding = 64;
inline constexpr int64_t kDimPadding = 16;
inline constexpr int64_t kMostLanes = 16;  // floats in the widest vector

// Floats of working memory a thread needs.
inline int64_t ScratchSize(const Plan& plan) {
  const int64_t fixed = kRows * (plan.head_dim + kKeys + plan.padded_dim + 2);
  return fixed + (plan.average_heads ? kRows * plan.probe_keys : 0);
}

inline int64_t ScratchSize(const Bf16Plan& plan) {
  return kRowGroup * kKeys +
         kRows * (plan.padded_dim + 1 + kMostLanes + plan.head_pairs + kKeys / 2);
}

}  // namespace vggt::attention_tile
