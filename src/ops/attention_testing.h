// SPDX-License-Identifier: Apache-2.0
// Helpers that the tests of the attention kernels share.
#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <random>
#include <vector>

#include "ops/attention.h"

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
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace vggt
