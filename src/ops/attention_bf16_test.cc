// SPDX-License-Identifier: Apache-2.0
#include "ops/attention_bf16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/attention_testing.h"
#include "ops/reference.h"

namespace vggt {
namespace {

Input Rounded(Input input) {
  for (float& x : input.qkv) x = BF16ToF32(F32ToBF16(x));
  return input;
}

std::vector<uint16_t> RunBf16(const Input& input) {
  const AttentionShape& s = input.shape;
  std::vector<uint16_t> out(s.batch * s.tokens * s.heads * s.head_dim);
  AttentionWorkspace workspace;
  AttentionBf16(s, input.q(), input.k(), input.v(), out.data(), workspace);
  return out;
}

std::vector<float> Twin(const Input& input, const std::vector<float>& values) {
  const AttentionShape& s = input.shape;
  std::vector<float> out(s.batch * s.tokens * s.heads * s.head_dim);
  const float* v = values.data() + (input.v() - input.q());
  reference::Attention(s, input.q(), input.k(), v, out.data());
  return out;
}

// Compares with the slow twin for q, k and v that are bfloat16 already. The bound adds up what the
// kernel rounds: probabilities and results by 2^-8 each, the exponential by 1e-4 and the total of
// a row as much, and float32 logits of this size by 1e-5 times `noise`. All but the rounding of
// results is relative to the weighted magnitudes of the values.
void CompareBf16WithTwin(const Input& input, float noise = 1) {
  std::vector<float> sizes = input.qkv;
  for (float& x : sizes) x = std::abs(x);
  const std::vector<float> expected = Twin(input, input.qkv), size = Twin(input, sizes);
  ForEachTarget([&] {
    const std::vector<uint16_t> got = RunBf16(input);
    for (size_t i = 0; i < got.size(); ++i) {
      const float bound =
          size[i] * (0x1p-8F + 2e-4F + 1e-5F * noise) + std::abs(expected[i]) * 0x1p-8F;
      ASSERT_NEAR(BF16ToF32(got[i]), expected[i], bound) << "at " << i;
    }
  });
}

TEST(AttentionBf16Test, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t head_dim : {1, 4, 16, 20, 27, 32, 64, 128, 144}) {
    for (const int64_t tokens : {1, 2, 5, 63, 96, 97, 256, 300}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, heads of " << head_dim);
      CompareBf16WithTwin(Rounded(MakeInput(2, tokens, 2, head_dim, 1)));
    }
  }
}

TEST(AttentionBf16Test, RoundsItsInputsToNearest) {
  ForEachTarget([] {
    for (const int64_t head_dim : {15, 64}) {
      const Input input = MakeInput(1, 129, 2, head_dim, 1);
      EXPECT_EQ(RunBf16(input), RunBf16(Rounded(input)));
    }
  });
}

TEST(AttentionBf16Test, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000 are beyond exp's range; a float32 of that size is off by up to 6e-5.
  CompareBf16WithTwin(Rounded(MakeInput(1, 300, 1, 64, 12)), 100);
  // Keys whose logits grow from step to step raise the maximum each time.
  Input rising = MakeInput(1, 1100, 1, 16, 1);
  for (size_t i = 0; i < rising.qkv.size(); ++i) {
    rising.qkv[i] *= static_cast<float>(i) / static_cast<float>(rising.qkv.size()) * 4;
  }
  CompareBf16WithTwin(Rounded(rising), 10);
}

TEST(AttentionBf16Test, AllLogitsFarBelowZero) {
  // All logits are negative here; padded keys must not count as logits of 0.
  Input input = MakeInput(1, 70, 1, 32, 1);
  for (int64_t t = 0; t < 70; ++t) {
    for (int64_t c = 0; c < 32; ++c) {
      float* token = input.qkv.data() + t * input.shape.token_stride;
      token[c] = 10;
      token[32 + c] = -10 - static_cast<float>(t % 3) / 8;
    }
  }
  CompareBf16WithTwin(input, 10);
}

TEST(AttentionBf16Test, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(2, 400, 3, 32);
  std::vector<std::vector<uint16_t>> results;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    results.push_back(RunBf16(input));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace vggt
