// SPDX-License-Identifier: Apache-2.0
// What one forward pass needs beside the model's parameters, allocated once. Passes that run at the
// same time have one each.
#pragma once

#include <span>
#include <variant>

#include "backend/cpu/linear.h"
#include "model/plan.h"
#include "ops/attention.h"
#include "ops/precision.h"

namespace vggt {

// What goes from one kernel of a block to the next, as float32 or bfloat16.
template <typename T>
struct BlockBuffers {
  AlignedBuffer<T> normed;  // [tokens, dim]: a norm's output; later attention's
  AlignedBuffer<T> hidden;  // [mlp_rows, hidden]
  AlignedBuffer<T> gated;   // [mlp_rows, hidden / 2], where an MLP is gated
};

// For all blocks of a plan, on up to `tokens` tokens of all frames together.
struct Workspace {
  Workspace(const ModelPlan& plan, int64_t tokens, Precision precision);
  // The same for some blocks, of tokens of `dim` channels.
  Workspace(std::span<const BlockSpec> blocks, int64_t dim, int64_t tokens, Precision precision);

  // Rows that pass through an MLP at a time: bounds its hidden layer, whatever the sequence.
  int64_t mlp_rows;

  FloatBuffer qkv;  // [tokens, out of the widest block's qkv]
  std::variant<BlockBuffers<float>, BlockBuffers<uint16_t>> between;
  AttentionWorkspace attention;
  CompiledProducts products;
};

}  // namespace vggt
