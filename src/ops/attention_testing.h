// SPDX-License-Identifier: Apache-2.0
// Helpers that the tests of the attention kernels share.
#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "core/tensor.h"
#include "ops/attention.h"
#include "ops/reference.h"

namespace vggt {

struct Input {
  AttentionShape shape;
  std::vector<float> qkv;
  const float* q() const { return qkv.data(); }
  const float* k() const { return qkv.data() + shape.heads * shape.head_dim; }
  const float* v() const { return qkv.data() + 2 * shape.heads * shape.head_dim; }
};

// Random q, k and v, interleaved per token as one linear layer writes them. `spread` is their
// standard deviation: the larger it is, the fewer keys get most of a row's probability.
inline Input MakeInput(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim,
                       float spread = 2) {
  Input input{{batch, tokens, heads, head_dim, 3 * heads * head_dim}, {}};
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, spread);
  input.qkv.resize(batch * tokens * input.shape.token_stride);
  for (float& v : input.qkv) v = normal(generator);
  return input;
}

// Random input of `groups` causal groups of `group` tokens.
inline Input MakeCausalInput(int64_t batch, int64_t groups, int64_t group, int64_t heads,
                             int64_t head_dim) {
  Input input = MakeInput(batch, groups * group, heads, head_dim, 1);
  input.shape.causal_group = group;
  return input;
}

// Groups that fill a part of a task, of a step of keys or of a tile, and several of each.
inline std::vector<Input> CausalInputs() {
  return {MakeCausalInput(1, 1, 50, 2, 32),  MakeCausalInput(2, 3, 7, 2, 16),
          MakeCausalInput(1, 5, 1, 1, 64),   MakeCausalInput(1, 4, 33, 2, 64),
          MakeCausalInput(1, 3, 130, 1, 20), MakeCausalInput(1, 2, 300, 1, 64)};
}

// What run(input) computes for the first two of three groups does not change by a bit with the keys
// and values of the third.
template <typename Run>
void ExpectLaterGroupsUnseen(const Run& run) {
  const Input input = MakeCausalInput(1, 3, 45, 2, 32);
  Input other = input;
  const AttentionShape& s = input.shape;
  for (int64_t i = 2 * s.causal_group * s.token_stride; i < s.tokens * s.token_stride; ++i) {
    if (i % s.token_stride >= s.heads * s.head_dim) other.qkv[i] = 50 - 3 * other.qkv[i];
  }
  auto before = run(input), after = run(other);
  EXPECT_NE(before, after);
  before.resize(before.size() / 3 * 2);
  after.resize(before.size());
  EXPECT_EQ(before, after);
}

// The input with all values rounded to bfloat16.
inline Input Rounded(Input input) {
  for (float& x : input.qkv) x = BF16ToF32(F32ToBF16(x));
  return input;
}

// Keys whose logits grow from step to step, so that each raises the maximum.
inline Input RisingInput() {
  Input rising = MakeInput(1, 1100, 1, 16, 1);
  for (size_t i = 0; i < rising.qkv.size(); ++i) {
    rising.qkv[i] *= static_cast<float>(i) / static_cast<float>(rising.qkv.size()) * 4;
  }
  return Rounded(rising);
}

// All logits are negative: padded keys must not count as logits of 0.
inline Input FarBelowZeroInput() {
  Input input = MakeInput(1, 70, 1, 32, 1);
  for (int64_t t = 0; t < 70; ++t) {
    for (int64_t c = 0; c < 32; ++c) {
      float* token = input.qkv.data() + t * input.shape.token_stride;
      token[c] = 10;
      token[32 + c] = -10 - static_cast<float>(t % 3) / 8;
    }
  }
  return Rounded(input);
}

inline void ExpectNear(const std::vector<float>& got, const std::vector<float>& expected,
                       float tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance) << "at " << i;
  }
}

// Calls `body` once for each instruction set that this processor has and Highway compiled, with the
// kernels held to that set.
template <typename Body>
void ForEachTarget(const Body& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
#ifdef VGGT_ADDRESS_SANITIZER
    // Slow there, and a lane at a time reads nothing beyond the end of a row.
    if (target == HWY_SCALAR || target == HWY_EMU128) continue;
#endif
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// Compares attention in bfloat16, as `run(input)` computes it on each instruction set, with the
// slow twin, for q, k and v that are bfloat16 already. The bound adds up what the kernels round:
// probabilities and results by 2^-8 each, the exponential by 1e-4 and the total of a row as much,
// and float32 logits of this size by 1e-5 times `noise`. All but the rounding of results is
// relative to the weighted magnitudes of the values.
template <typename Run>
void CompareBf16WithTwin(const Input& input, const Run& run, float noise = 1) {
  const AttentionShape& s = input.shape;
  const auto twin = [&](const std::vector<float>& values) {
    std::vector<float> out(s.batch * s.tokens * s.heads * s.head_dim);
    const float* v = values.data() + (input.v() - input.q());
    reference::Attention(s, input.q(), input.k(), v, out.data());
    return out;
  };
  std::vector<float> sizes = input.qkv;
  for (float& x : sizes) x = std::abs(x);
  const std::vector<float> expected = twin(input.qkv), size = twin(sizes);
  ForEachTarget([&] {
    const std::vector<uint16_t> got = run(input);
    for (size_t i = 0; i < got.size(); ++i) {
      const float bound =
          size[i] * (0x1p-8F + 2e-4F + 1e-5F * noise) + std::abs(expected[i]) * 0x1p-8F;
      ASSERT_NEAR(BF16ToF32(got[i]), expected[i], bound) << "at " << i;
    }
  });
}

}  // namespace vggt
