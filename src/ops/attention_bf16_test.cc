// SPDX-License-Identifier: Apache-2.0
#include "ops/attention_bf16.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/parallel.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

std::vector<uint16_t> RunBf16(const Input& input) {
  const AttentionShape& s = input.shape;
  std::vector<uint16_t> out(s.batch * s.tokens * s.heads * s.head_dim);
  AttentionWorkspace workspace;
  AttentionBf16OnVectors(s, input.q(), input.k(), input.v(), out.data(), workspace);
  return out;
}

TEST(AttentionBf16Test, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t head_dim : {1, 4, 16, 20, 27, 32, 64, 128, 144}) {
    for (const int64_t tokens : {1, 2, 5, 63, 96, 97, 256, 300}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, heads of " << head_dim);
      CompareBf16WithTwin(Rounded(MakeInput(2, tokens, 2, head_dim, 1)), RunBf16);
    }
  }
}

TEST(AttentionBf16Test, IsCausalByGroups) {
  for (const Input& input : CausalInputs()) {
    SCOPED_TRACE(testing::Message() << "groups of " << input.shape.causal_group);
    CompareBf16WithTwin(Rounded(input), RunBf16);
  }
  ForEachTarget([] { ExpectLaterGroupsUnseen(RunBf16); });
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
  CompareBf16WithTwin(Rounded(MakeInput(1, 300, 1, 64, 12)), RunBf16, 100);
  CompareBf16WithTwin(RisingInput(), RunBf16, 10);
}

TEST(AttentionBf16Test, AllLogitsFarBelowZero) {
  CompareBf16WithTwin(FarBelowZeroInput(), RunBf16, 10);
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
