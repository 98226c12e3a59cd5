// SPDX-License-Identifier: Apache-2.0
// Softmax attention in float32, tiled: no matrix of all queries by all keys ever exists.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor.h"

namespace vggt {

// q, k and v are [batch, tokens, heads, head_dim]: head_dim values of a head stand together, heads
// follow one another, and the next token stands token_stride values on.
struct AttentionShape {
  int64_t batch = 1;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t token_stride = 0;  // of q, k and v
};

// Working memory of attention, grown to what the largest call so far needed.
class AttentionWorkspace {
 public:
  // At least `size` floats.
  float* Packed(size_t size);
  float* Scratch(size_t size);

 private:
  FloatBuffer packed_, scratch_;
};

// out [batch, tokens, heads, head_dim], without gaps, = softmax(q kᵀ / √head_dim) v for each batch
// entry and head, on all threads. The result does not depend on the number of threads.
// Tiling and running maximum: Dao et al., FlashAttention (arXiv:2205.14135), algorithm 1.
void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out, AttentionWorkspace& workspace);

}  // namespace vggt
