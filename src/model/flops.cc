// SPDX-License-Identifier: Apache-2.0
#include "model/flops.h"

namespace vggt {
namespace {

// Everything in a block but attention: qkv, proj, fc1, fc2.
double DenseFlops(const ModelConfig& config, double tokens) {
  const auto c = static_cast<double>(config.dim), m = static_cast<double>(config.hidden);
  return 2 * tokens * (4 * c * c + 2 * c * m);
}

// q·kᵀ and its product with v.
double AttentionFlops(const ModelConfig& config, double queries, double keys) {
  return 4 * queries * keys * static_cast<double>(config.dim);
}

}  // namespace

double ForwardFlops(const ModelConfig& config, int64_t frames, int64_t grid_height,
                    int64_t grid_width, int64_t last_layer) {
  const auto s = static_cast<double>(frames), c = static_cast<double>(config.dim);
  const auto patches = static_cast<double>(grid_height * grid_width);
  const auto layers = static_cast<double>(last_layer + 1);
  const double encoder_tokens = patches + static_cast<double>(config.encoder_special_tokens());
  const double frame_tokens = patches + static_cast<double>(config.special_tokens());
  const double tokens = s * frame_tokens;
  const double projection = 2 * s * patches * c * 3 * kPatchSize * kPatchSize;
  const double encoder_block = DenseFlops(config, s * encoder_tokens) +
                               AttentionFlops(config, s * encoder_tokens, encoder_tokens);
  const double frame_block =
      DenseFlops(config, tokens) + AttentionFlops(config, tokens, frame_tokens);
  const double global_block = DenseFlops(config, tokens) + AttentionFlops(config, tokens, tokens);
  const double encoder = projection + static_cast<double>(config.encoder_depth) * encoder_block;
  if (last_layer < 0) return encoder;
  // The last global block ends at q and k. What an observer computes is not the model's.
  return encoder + layers * frame_block + (layers - 1) * global_block + 2 * tokens * 2 * c * c;
}

}  // namespace vggt
