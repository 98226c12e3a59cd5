// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/embedding.h"

#include <array>

#include "core/parallel.h"

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

}  // namespace

void ExtractPatches(const FrameBatch& frames, int64_t frame, int64_t patch_size, float* rows) {
  static const auto levels = NormalizedLevels();
  const uint8_t* pixels = frames.rgb + frame * frames.height * frames.width * 3;
  const int64_t grid_height = frames.height / patch_size, grid_width = frames.width / patch_size;
  ParallelFor(grid_height, 1, [&](size_t grid_row) {
    float* out = rows + grid_row * grid_width * 3 * patch_size * patch_size;
    for (int64_t column = 0; column < grid_width; ++column) {
      for (int c = 0; c < 3; ++c) {
        for (int64_t y = 0; y < patch_size; ++y) {
          const int64_t row = static_cast<int64_t>(grid_row) * patch_size + y;
          const uint8_t* from = pixels + (row * frames.width + column * patch_size) * 3 + c;
          for (int64_t x = 0; x < patch_size; ++x) *out++ = levels[c][from[3 * x]];
        }
      }
    }
  });
}

FloatBuffer ProjectPatches(const FrameBatch& frames, int64_t patch_size, const Linear& projection,
                           CompiledProducts& products) {
  const int64_t patches = frames.height / patch_size * (frames.width / patch_size);
  FloatBuffer tokens(frames.count * patches * projection.out());
  FloatBuffer rows(patches * projection.in());
  for (int64_t s = 0; s < frames.count; ++s) {
    ExtractPatches(frames, s, patch_size, rows.data());
    projection.Run(patches, rows.data(), tokens.data() + s * patches * projection.out(), products);
  }
  return tokens;
}

}  // namespace vggt
