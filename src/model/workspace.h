// SPDX-License-Identifier: Apache-2.0
// The activations of a forward pass, allocated once.
#pragma once

#include "kernels/attention.h"
#include "model/config.h"

namespace vggt {

// Buffers for sequences of up to `tokens` tokens in all frames together.
struct Workspace {
  Workspace(const ModelConfig& config, int64_t tokens);

  // Rows that pass through an MLP at a time: bounds its hidden layer, whatever the sequence.
  int64_t mlp_rows;

  FloatBuffer normed;  // [tokens, dim]: a norm's output; later attention's
  FloatBuffer qkv;     // [tokens, 3·dim]
  FloatBuffer hidden;  // [mlp_rows, hidden]
  AttentionWorkspace attention;
};

}  // namespace vggt
