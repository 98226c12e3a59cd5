// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/encoder.h"

#include <gtest/gtest.h>

#include "trace_testing.h"

namespace vggt {
namespace {

using testing::Trace;

TEST(Encoder, PixelsEqualTheTrace) {
  const Trace trace;
  const auto expected = Trace::Load("normalized");  // [frames, 3, height, width]
  const FrameBatch& frames = trace.frames();
  std::vector<float> rows(frames.patches() * 3 * 14 * 14);
  for (int64_t s = 0; s < frames.count; ++s) {
    ExtractPatches(frames, s, rows.data());
    for (int64_t y = 0; y < frames.height; ++y) {
      for (int64_t x = 0; x < frames.width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          const int64_t patch = y / 14 * frames.grid_width() + x / 14;
          const float got = rows[((patch * 3 + c) * 14 + y % 14) * 14 + x % 14];
          const double want = expected[((s * 3 + c) * frames.height + y) * frames.width + x];
          ASSERT_EQ(got, static_cast<float>(want));
        }
      }
    }
  }
}

TEST(Encoder, PatchTokensEqualTheTrace) {
  const Trace trace;
  const auto expected = Trace::Load("patch_tokens");
  const FrameBatch& frames = trace.frames();
  const AggregatorParameters parameters =
      LoadParameters(trace.checkpoint(), trace.config(), 0, Precision::kF32);
  Workspace workspace(trace.config(), frames.count * (5 + frames.patches()), Precision::kF32);
  std::vector<float> x(frames.count * (5 + frames.patches()) * trace.config().dim);
  std::vector<float> out(expected.size());
  int64_t blocks = 0;
  Encode(parameters.encoder, trace.config(), frames, x.data(), workspace,
         {{}, [&](int64_t i) { EXPECT_EQ(i, blocks++); }}, out.data());
  EXPECT_EQ(blocks, trace.config().encoder_depth);
  // float32 against the specification's float64.
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 2e-5) << i;
}

}  // namespace
}  // namespace vggt
