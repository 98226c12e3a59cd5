// SPDX-License-Identifier: Apache-2.0
// The kernel runs on the model of the tiles, and so on any processor. Where the processor has
// tiles, each call runs on these, too, and must give the same bits.
#include "ops/attention_amx.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/parallel.h"
#include "ops/amx.h"
#include "ops/attention_bf16.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

std::vector<uint16_t> RunOn(TileUnit unit, const Input& input) {
  const AttentionShape& s = input.shape;
  // What is not written stays recognisable: not a number.
  std::vector<uint16_t> out(s.batch * s.tokens * s.heads * s.head_dim, 0x7FFF);
  AttentionWorkspace workspace;
  AttentionAmx(s, input.q(), input.k(), input.v(), out.data(), workspace, unit);
  return out;
}

std::vector<uint16_t> RunTiles(const Input& input) {
  const std::vector<uint16_t> out = RunOn(TileUnit::kModel, input);
  if (AttentionRunsOnTiles()) {
    EXPECT_EQ(RunOn(TileUnit::kProcessor, input), out);
  }
  return out;
}

TEST(AttentionAmxTest, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t tokens : {1, 15, 16, 17, 31, 33, 65, 391}) {
    for (const int64_t head_dim : {1, 27, 32, 40, 64, 80}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, heads of " << head_dim);
      CompareBf16WithTwin(Rounded(MakeInput(1, tokens, 1, head_dim, 1)), RunTiles);
    }
  }
  for (const int64_t head_dim : {96, 128, 144}) {
    SCOPED_TRACE(testing::Message() << "heads of " << head_dim);
    CompareBf16WithTwin(Rounded(MakeInput(1, 97, 1, head_dim, 1)), RunTiles);
  }
  CompareBf16WithTwin(Rounded(MakeInput(2, 70, 3, 20, 1)), RunTiles);
}

TEST(AttentionAmxTest, EqualsItsSlowTwinInSeveralTasks) {
  CompareBf16WithTwin(Rounded(MakeInput(1, 1025, 1, 64, 1)), RunTiles);
}

TEST(AttentionAmxTest, IsCausalByGroups) {
  for (const Input& input : CausalInputs()) {
    SCOPED_TRACE(testing::Message() << "groups of " << input.shape.causal_group);
    CompareBf16WithTwin(Rounded(input), RunTiles);
  }
  ForEachTarget([] { ExpectLaterGroupsUnseen(RunTiles); });
}

TEST(AttentionAmxTest, RoundsItsInputsToNearest) {
  ForEachTarget([] {
    for (const int64_t head_dim : {15, 64}) {
      const Input input = MakeInput(1, 129, 2, head_dim, 1);
      EXPECT_EQ(RunTiles(input), RunTiles(Rounded(input)));
    }
  });
}

TEST(AttentionAmxTest, MaximaRise) {
  CompareBf16WithTwin(Rounded(MakeInput(1, 300, 1, 64, 12)), RunTiles, 100);
  CompareBf16WithTwin(RisingInput(), RunTiles, 10);
}

TEST(AttentionAmxTest, AllLogitsFarBelowZero) {
  CompareBf16WithTwin(FarBelowZeroInput(), RunTiles, 10);
}

TEST(AttentionAmxTest, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(2, 400, 3, 32);
  std::vector<std::vector<uint16_t>> results;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    results.push_back(RunTiles(input));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(AttentionAmxTest, SameBitsInAnyBatch) {
  const Input two = MakeInput(2, 70, 2, 32);
  const std::vector<uint16_t> both = RunTiles(two);
  Input second = two;
  second.shape.batch = 1;
  second.qkv.erase(second.qkv.begin(), second.qkv.begin() + 70 * two.shape.token_stride);
  EXPECT_EQ(RunTiles(second), std::vector<uint16_t>(both.begin() + both.size() / 2, both.end()));
}

// AttentionBf16 takes the tiles exactly where they can be used: not without AMX or its permission,
// and not where kernels are held to less than AVX-512.
TEST(AttentionAmxTest, IsWhatAttentionBf16RunsWhereItCan) {
  const Input input = MakeInput(1, 130, 2, 64, 1);
  ForEachTarget([&] {
    std::vector<uint16_t> best(130 * 2 * 64), vectors(best.size());
    AttentionWorkspace workspace;
    const AttentionShape& s = input.shape;
    AttentionBf16(s, input.q(), input.k(), input.v(), best.data(), workspace);
    AttentionBf16OnVectors(s, input.q(), input.k(), input.v(), vectors.data(), workspace);
    EXPECT_EQ(best, AttentionRunsOnTiles() ? RunOn(TileUnit::kProcessor, input) : vectors);
    EXPECT_LE(AttentionRunsOnTiles(), HasAmx());
  });
}

}  // namespace
}  // namespace vggt
