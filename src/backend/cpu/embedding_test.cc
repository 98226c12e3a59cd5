// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/embedding.h"

#include <gtest/gtest.h>

#include "trace_testing.h"

namespace vggt {
namespace {

using testing::Trace;

TEST(Embedding, PixelsEqualTheTrace) {
  const Trace trace;
  const auto expected = Trace::Load("normalized");  // [frames, 3, height, width]
  const FrameBatch& frames = trace.frames();
  const int64_t grid_width = frames.width / 14;
  std::vector<float> rows(frames.height / 14 * grid_width * 3 * 14 * 14);
  for (int64_t s = 0; s < frames.count; ++s) {
    ExtractPatches(frames, s, 14, rows.data());
    for (int64_t y = 0; y < frames.height; ++y) {
      for (int64_t x = 0; x < frames.width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          const int64_t patch = y / 14 * grid_width + x / 14;
          const float got = rows[((patch * 3 + c) * 14 + y % 14) * 14 + x % 14];
          const double want = expected[((s * 3 + c) * frames.height + y) * frames.width + x];
          ASSERT_EQ(got, static_cast<float>(want));
        }
      }
    }
  }
}

TEST(Embedding, EachPatchIsProjectedByItself) {
  // Two frames of 1 × 2 patches of two pixels' side. The layer sums a patch's normalised values.
  std::vector<uint8_t> rgb(2 * 2 * 4 * 3);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(5 * i);
  const FrameBatch frames{2, 2, 4, rgb.data()};
  const std::vector<float> ones(12, 1), bias = {0.5F};
  CompiledProducts products;
  const FloatBuffer tokens =
      ProjectPatches(frames, 2, Linear(12, 1, ones.data(), bias.data()), products);
  ASSERT_EQ(tokens.size(), 4U);
  std::vector<float> rows(24);
  for (int64_t s = 0; s < 2; ++s) {
    ExtractPatches(frames, s, 2, rows.data());
    for (int64_t patch = 0; patch < 2; ++patch) {
      double sum = 0.5;
      for (int64_t i = 0; i < 12; ++i) sum += rows[patch * 12 + i];
      EXPECT_NEAR(tokens[s * 2 + patch], sum, 1e-4) << s << ", " << patch;
    }
  }
}

}  // namespace
}  // namespace vggt
