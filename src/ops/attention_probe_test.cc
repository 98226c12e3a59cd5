// SPDX-License-Identifier: Apache-2.0
#include "ops/attention_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_testing.h"
#include "ops/reference.h"

namespace vggt {
namespace {

std::vector<int32_t> Every(int32_t begin, int32_t end, int32_t step) {
  std::vector<int32_t> out;
  for (int32_t i = begin; i < end; i += step) out.push_back(i);
  return out;
}

using Tiles = std::optional<TileUnit>;

std::vector<float> ProbeOn(Tiles tiles, const Input& input, const std::vector<int32_t>& rows,
                           const std::vector<int32_t>& keys, bool average, int64_t seen = 0) {
  std::vector<float> out(rows.size() * keys.size() * (average ? 1 : input.shape.heads), -1);
  AttentionWorkspace workspace;
  ProbeAttentionOn(tiles, input.shape, input.q(), input.k(),
                   {rows, keys, average, out.data(), seen}, workspace);
  return out;
}

// On vectors, or on the model of the tiles. Where the processor has tiles, they must give the
// model's bits.
std::vector<float> Probe(bool on_tiles, const Input& input, const std::vector<int32_t>& rows,
                         const std::vector<int32_t>& keys, bool average, int64_t seen = 0) {
  if (!on_tiles) return ProbeOn({}, input, rows, keys, average, seen);
  std::vector<float> out = ProbeOn(TileUnit::kModel, input, rows, keys, average, seen);
  if (AttentionRunsOnTiles()) {
    EXPECT_EQ(ProbeOn(TileUnit::kProcessor, input, rows, keys, average, seen), out);
  }
  return out;
}

class AttentionProbeTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, AttentionProbeTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "OnTiles" : "OnVectors"; });

void CompareProbeWithTwin(bool on_tiles, const Input& input, const std::vector<int32_t>& rows,
                          const std::vector<int32_t>& keys, float tolerance = 2e-5F,
                          int64_t seen = 0) {
  for (const bool average : {false, true}) {
    SCOPED_TRACE(average ? "averaged" : "per head");
    std::vector<float> expected(rows.size() * keys.size() * (average ? 1 : input.shape.heads));
    reference::ProbeAttention(input.shape, input.q(), input.k(),
                              {rows, keys, average, expected.data(), seen});
    ForEachTarget([&] {
      ExpectNear(Probe(on_tiles, input, rows, keys, average, seen), expected, tolerance);
    });
  }
}

TEST_P(AttentionProbeTest, EqualsItsSlowTwinOnAwkwardSizes) {
  // The model of the tiles is slow.
  using Sizes = std::vector<int64_t>;
  const Sizes dims = GetParam() ? Sizes{1, 20, 80} : Sizes{1, 4, 20, 64, 80, 128, 144};
  const Sizes counts = GetParam() ? Sizes{1, 23, 65, 130} : Sizes{1, 5, 23, 64, 65, 300};
  for (const int64_t head_dim : dims) {
    for (const int64_t tokens : counts) {
      SCOPED_TRACE(::testing::Message() << tokens << " tokens, heads of " << head_dim);
      const Input input = MakeInput(1, tokens, 2, head_dim, 1);
      const std::vector<int32_t> all = Every(0, static_cast<int32_t>(tokens), 1);
      CompareProbeWithTwin(GetParam(), input, all, all);
    }
  }
}

TEST_P(AttentionProbeTest, TakesChosenRowsAndKeysOfTheFirstBatchEntry) {
  const Input input = MakeInput(2, 310, 3, 16);
  CompareProbeWithTwin(GetParam(), input, Every(5, 155, 1), Every(5, 310, 1));
  CompareProbeWithTwin(GetParam(), input, Every(5, 155, 7), Every(5, 310, 3));
  CompareProbeWithTwin(GetParam(), input, {309}, {0});
  CompareProbeWithTwin(GetParam(), input, {}, {0, 1, 2, 255, 256, 257, 309});
}

TEST_P(AttentionProbeTest, KeysThatAreNotSeenGetNothing) {
  const Input input = MakeInput(1, 140, 2, 16);
  const std::vector<int32_t> rows = Every(5, 50, 1), keys = Every(5, 140, 1);
  for (const int64_t seen : {1, 45, 64, 134, 135}) {
    CompareProbeWithTwin(GetParam(), input, rows, keys, 2e-5F, seen);
  }
  const std::vector<float> probed = Probe(GetParam(), input, rows, keys, true, 45);
  EXPECT_GT(probed[44], 0);
  EXPECT_EQ(std::count(probed.begin() + 45, probed.begin() + 135, 0.0F), 90);
}

TEST_P(AttentionProbeTest, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000 are beyond exp's range; a float32 of that size is off by up to 6e-5.
  CompareProbeWithTwin(GetParam(), MakeInput(1, 130, 1, 64, 12), Every(0, 130, 1), Every(0, 130, 1),
                       1e-3F);
}

TEST_P(AttentionProbeTest, RowsSumToOne) {
  const auto rows = Every(0, 500, 1), keys = Every(5, 500, 2);
  const std::vector<float> probed = Probe(GetParam(), MakeInput(1, 500, 4, 32), rows, keys, true);
  for (size_t r = 0; r < rows.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < keys.size(); ++j) sum += probed[r * keys.size() + j];
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST_P(AttentionProbeTest, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(1, 400, 3, 32);
  for (const bool average : {false, true}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 7}) {
      SetThreadCount(threads);
      results.push_back(Probe(GetParam(), input, Every(5, 200, 1), Every(5, 400, 1), average));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST_P(AttentionProbeTest, SomeHeadsHaveTheBitsTheyHaveAmongAll) {
  const Input input = MakeInput(1, 150, 3, 20);
  const auto rows = Every(0, 150, 4), keys = Every(3, 150, 1);
  const std::vector<float> all = Probe(GetParam(), input, rows, keys, false);
  AttentionShape shape = input.shape;
  shape.heads = 1;
  std::vector<float> one(rows.size() * keys.size());
  AttentionWorkspace workspace;
  for (int64_t head = 0; head < 3; ++head) {
    ProbeAttentionOn(GetParam() ? Tiles(TileUnit::kModel) : std::nullopt, shape,
                     input.q() + head * 20, input.k() + head * 20, {rows, keys, false, one.data()},
                     workspace);
    for (size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i], all[(i / keys.size() * 3 + head) * keys.size() + i % keys.size()]);
    }
  }
}

// The logarithm of a probability is off by what its logit is. Tiles that took bfloat16 in two parts
// would miss the bounds by a factor of ten.
TEST_P(AttentionProbeTest, LogitsAreAsExactAsFloat32) {
  const Input input = MakeInput(1, 96, 1, 64, 3);
  const std::vector<int32_t> all = Every(0, 96, 1);
  std::vector<float> expected(96 * 96);
  reference::ProbeAttention(input.shape, input.q(), input.k(), {all, all, false, expected.data()});
  const std::vector<float> got = Probe(GetParam(), input, all, all, false);
  double worst = 0, sum = 0;
  int count = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (expected[i] < 1e-30F) continue;
    const double error = std::abs(std::log(double{got[i]} / expected[i]));
    worst = std::max(worst, error);
    sum += error * error;
    ++count;
  }
  EXPECT_LT(worst, 3e-5);
  EXPECT_LT(std::sqrt(sum / count), 5e-6);
}

TEST(AttentionProbeChoiceTest, TakesTilesWhereItCan) {
  const Input input = MakeInput(1, 70, 2, 24);
  const std::vector<int32_t> all = Every(0, 70, 1);
  ForEachTarget([&] {
    std::vector<float> out(70 * 2 * 70);
    AttentionWorkspace workspace;
    ProbeAttention(input.shape, input.q(), input.k(), {all, all, false, out.data()}, workspace);
    const Tiles best = AttentionRunsOnTiles() ? Tiles(TileUnit::kProcessor) : std::nullopt;
    EXPECT_EQ(out, ProbeOn(best, input, all, all, false));
  });
}

}  // namespace
}  // namespace vggt
