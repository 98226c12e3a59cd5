// SPDX-License-Identifier: Apache-2.0
#include "ops/attention_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "ops/attention_testing.h"
#include "ops/reference.h"

namespace vggt {
namespace {

std::vector<int32_t> Every(int32_t begin, int32_t end, int32_t step) {
  std::vector<int32_t> out;
  for (int32_t i = begin; i < end; i += step) out.push_back(i);
  return out;
}

std::vector<float> Probe(const Input& input, const std::vector<int32_t>& rows,
                         const std::vector<int32_t>& keys, bool average) {
  std::vector<float> out(rows.size() * keys.size() * (average ? 1 : input.shape.heads), -1);
  AttentionWorkspace workspace;
  ProbeAttention(input.shape, input.q(), input.k(), {rows, keys, average, out.data()}, workspace);
  return out;
}

void CompareProbeWithTwin(const Input& input, const std::vector<int32_t>& rows,
                          const std::vector<int32_t>& keys, float tolerance = 2e-5F) {
  for (const bool average : {false, true}) {
    SCOPED_TRACE(average ? "averaged" : "per head");
    std::vector<float> expected(rows.size() * keys.size() * (average ? 1 : input.shape.heads));
    reference::ProbeAttention(input.shape, input.q(), input.k(),
                              {rows, keys, average, expected.data()});
    ForEachTarget([&] { ExpectNear(Probe(input, rows, keys, average), expected, tolerance); });
  }
}

TEST(AttentionProbeTest, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t head_dim : {1, 4, 20, 64, 80, 128, 144}) {
    for (const int32_t tokens : {1, 5, 23, 64, 65, 300}) {
      SCOPED_TRACE(::testing::Message() << tokens << " tokens, heads of " << head_dim);
      const Input input = MakeInput(1, tokens, 2, head_dim, 1);
      CompareProbeWithTwin(input, Every(0, tokens, 1), Every(0, tokens, 1));
    }
  }
}

TEST(AttentionProbeTest, TakesChosenRowsAndKeysOfTheFirstBatchEntry) {
  const Input input = MakeInput(2, 310, 3, 16);
  CompareProbeWithTwin(input, Every(5, 155, 1), Every(5, 310, 1));
  CompareProbeWithTwin(input, Every(5, 155, 7), Every(5, 310, 3));
  CompareProbeWithTwin(input, {309}, {0});
  CompareProbeWithTwin(input, {}, {0, 1, 2, 255, 256, 257, 309});
}

TEST(AttentionProbeTest, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000 are beyond exp's range; a float32 of that size is off by up to 6e-5.
  CompareProbeWithTwin(MakeInput(1, 130, 1, 64, 12), Every(0, 130, 1), Every(0, 130, 1), 1e-3F);
}

TEST(AttentionProbeTest, RowsSumToOne) {
  const auto rows = Every(0, 500, 1), keys = Every(5, 500, 2);
  const std::vector<float> probed = Probe(MakeInput(1, 500, 4, 32), rows, keys, true);
  for (size_t r = 0; r < rows.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < keys.size(); ++j) sum += probed[r * keys.size() + j];
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST(AttentionProbeTest, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(1, 400, 3, 32);
  for (const bool average : {false, true}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 7}) {
      SetThreadCount(threads);
      results.push_back(Probe(input, Every(5, 200, 1), Every(5, 400, 1), average));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST(AttentionProbeTest, SomeHeadsHaveTheBitsTheyHaveAmongAll) {
  const Input input = MakeInput(1, 150, 3, 20);
  const auto rows = Every(0, 150, 4), keys = Every(3, 150, 1);
  const std::vector<float> all = Probe(input, rows, keys, false);
  AttentionShape shape = input.shape;
  shape.heads = 1;
  std::vector<float> one(rows.size() * keys.size());
  AttentionWorkspace workspace;
  for (int64_t head = 0; head < 3; ++head) {
    ProbeAttention(shape, input.q() + head * 20, input.k() + head * 20,
                   {rows, keys, false, one.data()}, workspace);
    for (size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i], all[(i / keys.size() * 3 + head) * keys.size() + i % keys.size()]);
    }
  }
}

}  // namespace
}  // namespace vggt
