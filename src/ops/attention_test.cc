// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "ops/attention_testing.h"
#include "ops/reference.h"

namespace vggt {
namespace {

void CompareWithTwin(const Input& input, float tolerance = 6e-5F) {
  const AttentionShape& s = input.shape;
  std::vector<float> out(s.batch * s.tokens * s.heads * s.head_dim), expected(out.size());
  reference::Attention(s, input.q(), input.k(), input.v(), expected.data());
  ForEachTarget([&] {
    std::fill(out.begin(), out.end(), -1.0F);
    AttentionWorkspace workspace;
    Attention(s, input.q(), input.k(), input.v(), out.data(), workspace);
    ExpectNear(out, expected, tolerance);
  });
}

TEST(AttentionTest, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t head_dim : {4, 16, 20, 32, 64, 128}) {
    for (const int64_t tokens : {1, 5, 63, 96, 97, 256, 300}) {
      SCOPED_TRACE(::testing::Message() << tokens << " tokens, heads of " << head_dim);
      CompareWithTwin(MakeInput(2, tokens, 2, head_dim, 1));
    }
  }
}

TEST(AttentionTest, IsCausalByGroups) {
  for (const Input& input : CausalInputs()) {
    SCOPED_TRACE(::testing::Message() << "groups of " << input.shape.causal_group);
    CompareWithTwin(input);
  }
  ForEachTarget([] {
    ExpectLaterGroupsUnseen([](const Input& input) {
      const AttentionShape& s = input.shape;
      std::vector<float> out(s.batch * s.tokens * s.heads * s.head_dim);
      AttentionWorkspace workspace;
      Attention(s, input.q(), input.k(), input.v(), out.data(), workspace);
      return out;
    });
  });
}

TEST(AttentionTest, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000 are beyond exp's range; a float32 of that size is off by up to 6e-5.
  CompareWithTwin(MakeInput(1, 130, 1, 64, 12), 3e-3F);
}

TEST(AttentionTest, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(2, 400, 3, 32);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    std::vector<float> out(2 * 400 * 3 * 32);
    AttentionWorkspace workspace;
    Attention(input.shape, input.q(), input.k(), input.v(), out.data(), workspace);
    results.push_back(out);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace vggt
