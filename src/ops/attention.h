// SPDX-License-Identifier: Apache-2.0
// Softmax attention in float32. It is computed in tiles: the matrix of all queries by all keys is
// never in memory as a whole.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor.h"

namespace vggt {

// The extents of q, k and v [batch, tokens, heads, head_dim]. The heads of a token are contiguous;
// token_stride is the distance from one token to the next, in values.
struct AttentionShape {
  int64_t batch = 1;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t token_stride = 0;  // at least heads · head_dim; the same for q, k and v
  // If not 0, attention is causal by groups of so many tokens, of which `tokens` is a multiple: a
  // query sees the keys of its own group and of those before it.
  int64_t causal_group = 0;
};

// Working memory of the attention kernels. It grows to what the largest call so far needed, so that
// later calls allocate nothing. One call at a time may use it.
class AttentionWorkspace {
 public:
  // Room for at least `size` floats, uninitialised. A larger request invalidates the pointers that
  // earlier calls of the same function returned.
  float* Packed(size_t size);
  float* Scratch(size_t size);

 private:
  FloatBuffer packed_, scratch_;
};

// out = softmax(q kᵀ / √head_dim) v for each batch entry and head, over the keys that a query sees;
// the others are not read for it. `out` is [batch, tokens, heads, head_dim], contiguous. Runs on
// all threads; the result does not depend on their number. Tiling and running maximum: Dao et al.,
// FlashAttention (arXiv:2205.14135), algorithm 1.
void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out, AttentionWorkspace& workspace);

}  // namespace vggt
