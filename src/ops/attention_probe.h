// SPDX-License-Identifier: Apache-2.0
// Chosen rows of the attention matrix, as the maps show them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ops/amx.h"
#include "ops/attention.h"

namespace vggt {

// The rows to compute. Each is softmax-normalised over the `keys` only that it sees. The model
// normalises over all tokens, so the rows are not a part of the model's own attention matrix.
struct AttentionProbe {
  std::span<const int32_t> rows;  // query tokens, as indices below shape.tokens
  std::span<const int32_t> keys;  // key tokens, likewise; at least one
  bool average_heads = false;     // whether to write the mean of all heads' probabilities
  float* out = nullptr;           // [rows, heads, keys], or [rows, keys] if average_heads
  // Whether rows see the first `seen` keys alone; the others' probability is 0. 0: all.
  int64_t seen = 0;
};

// Computes the rows for the first batch entry, in float32, on all threads; shape.causal_group is
// not looked at. Matrix tiles multiply where AttentionRunsOnTiles() (attention_amx.h); the logits
// are then as exact and differ in their last bits. To compute a range of heads, pass their number
// in shape.heads, and let q and k point to the first of them. The bits of a head's rows depend
// neither on the number of heads nor on the number of threads.
void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe, AttentionWorkspace& workspace);

// The same on the given tiles, or on vectors if there are none, for comparisons.
void ProbeAttentionOn(std::optional<TileUnit> tiles, const AttentionShape& shape, const float* q,
                      const float* k, const AttentionProbe& probe, AttentionWorkspace& workspace);

}  // namespace vggt
