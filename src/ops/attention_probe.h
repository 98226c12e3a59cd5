// SPDX-License-Identifier: Apache-2.0
// Rows of the attention matrix itself, which Attention never has in memory.
#pragma once

#include <cstdint>
#include <span>

#include "ops/attention.h"

namespace vggt {

// Rows to be written out: the softmax over the chosen keys alone, which is a second normaliser
// beside the model's own, over all keys.
struct AttentionProbe {
  std::span<const int32_t> rows;  // query tokens
  std::span<const int32_t> keys;  // key tokens, at least one
  bool average_heads = false;     // the mean over heads of each head's softmax
  float* out = nullptr;           // [rows, heads, keys], or [rows, keys] if average_heads
};

// The rows of the first batch entry, in float32, on all threads; some heads only, if the shape has
// fewer and q and k point at the first of them. Neither their number nor that of the threads
// changes a bit.
void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe, AttentionWorkspace& workspace);

}  // namespace vggt
