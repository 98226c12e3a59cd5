// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/encoder.h"

#include <array>
#include <cstring>

#include "backend/cpu/pos_embed.h"
#include "core/parallel.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

// The normalised value of each of the 256 levels, rounded to float32 once, as in the reference.
std::array<std::array<float, 256>, 3> NormalizedLevels() {
  constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};
  std::array<std::array<float, 256>, 3> levels;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 256; ++i) {
      levels[c][i] = static_cast<float>((i / 255.0 - kMean[c]) / kDeviation[c]);
    }
  }
  return levels;
}

void Add(const float* values, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) x[i] += values[i];
}

// [cls + its position, registers, patches + their positions] of each frame.
void AssembleTokens(const EncoderParameters& encoder, const ModelConfig& config,
                    const FrameBatch& frames, const float* patch_tokens, float* x) {
  const int64_t dim = config.dim, patches = frames.patches();
  const FloatBuffer positions = ResamplePosEmbed(encoder.pos_embed, config.position_grid, dim,
                                                 frames.grid_height(), frames.grid_width());
  const int64_t registers = config.encoder_registers * dim;
  ParallelFor(frames.count, 1, [&](size_t s) {
    float* to = x + s * (config.encoder_special_tokens() + patches) * dim;
    std::memcpy(to, encoder.cls_token.data(), dim * sizeof(float));
    Add(positions.data(), dim, to);
    std::memcpy(to + dim, encoder.register_tokens.data(), registers * sizeof(float));
    float* patch = to + dim + registers;
    std::memcpy(patch, patch_tokens + s * patches * dim, patches * dim * sizeof(float));
    Add(positions.data() + dim, patches * dim, patch);
  });
}

}  // namespace

void ExtractPatches(const FrameBatch& frames, int64_t frame, float* rows) {
  static const auto levels = NormalizedLevels();
  const uint8_t* pixels = frames.rgb + frame * frames.height * frames.width * 3;
  ParallelFor(frames.grid_height(), 1, [&](size_t grid_row) {
    float* out = rows + grid_row * frames.grid_width() * 3 * kPatchSize * kPatchSize;
    for (int64_t column = 0; column < frames.grid_width(); ++column) {
      for (int c = 0; c < 3; ++c) {
        for (int64_t y = 0; y < kPatchSize; ++y) {
          const int64_t row = static_cast<int64_t>(grid_row) * kPatchSize + y;
          const uint8_t* from = pixels + (row * frames.width + column * kPatchSize) * 3 + c;
          for (int64_t x = 0; x < kPatchSize; ++x) *out++ = levels[c][from[3 * x]];
        }
      }
    }
  });
}

void Encode(const EncoderParameters& encoder, const ModelConfig& config, const FrameBatch& frames,
            float* x, Workspace& workspace, const EncoderCalls& calls, float* out) {
  const int64_t dim = config.dim, patches = frames.patches();
  FloatBuffer rows(patches * encoder.projection.in());
  for (int64_t s = 0; s < frames.count; ++s) {
    ExtractPatches(frames, s, rows.data());
    encoder.projection.Run(patches, rows.data(), out + s * patches * dim, workspace.products);
  }
  if (config.encoder == EncoderKind::kConvolution) return;

  AssembleTokens(encoder, config, frames, out, x);
  const int64_t tokens = config.encoder_special_tokens() + patches;
  for (int64_t i = 0; i < static_cast<int64_t>(encoder.blocks.size()); ++i) {
    const BlockWatch watch = calls.before_block ? calls.before_block(i) : BlockWatch{};
    RunBlock(encoder.blocks[i], config, {frames.count, tokens, x}, nullptr, watch, workspace);
    if (calls.after_block) calls.after_block(i);
  }
  for (int64_t s = 0; s < frames.count; ++s) {
    const float* patch_tokens = x + (s * tokens + config.encoder_special_tokens()) * dim;
    LayerNorm(patches, dim, patch_tokens, encoder.norm->weight.data(), encoder.norm->bias.data(),
              encoder.norm->eps, out + s * patches * dim);
  }
}

}  // namespace vggt
