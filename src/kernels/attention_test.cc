// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/attention_testing.h"
#include "kernels/reference.h"

namespace vggt {
namespace {

void ExpectNear(const std::vector<float>& got, const std::vector<float>& expected, float tolerance,
                const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance) << what << " " << i;
  }
}

void CompareWithTwin(const Input& input, const std::vector<int32_t>& rows,
                     const std::vector<int32_t>& keys, bool average, bool want_output,
                     float tolerance = 2e-5F) {
  const AttentionShape& s = input.shape;
  const size_t probe_size = rows.size() * keys.size() * (average ? 1 : s.heads);
  const size_t out_size = want_output ? s.batch * s.tokens * s.heads * s.head_dim : 0;
  std::vector<float> out(out_size), probed(probe_size), expected(out_size),
      expected_probed(probe_size);
  AttentionProbe probe{rows, keys, average, expected_probed.data()};
  reference::Attention(s, input.q(), input.k(), input.v(), want_output ? expected.data() : nullptr,
                       keys.empty() ? nullptr : &probe);
  ForEachTarget([&] {
    std::fill(probed.begin(), probed.end(), -1.0F);
    std::fill(out.begin(), out.end(), -1.0F);
    probe.out = probed.data();
    AttentionWorkspace workspace;
    Attention(s, input.q(), input.k(), want_output ? input.v() : nullptr,
              want_output ? out.data() : nullptr, keys.empty() ? nullptr : &probe, workspace);
    ExpectNear(probed, expected_probed, tolerance, "probability");
    ExpectNear(out, expected, 3 * tolerance, "output");
  });
}

TEST(AttentionTest, EqualsItsSlowTwinOnAwkwardSizes) {
  for (const int64_t head_dim : {4, 16, 20, 32, 64, 128}) {
    for (const int64_t tokens : {1, 5, 63, 96, 97, 256, 300}) {
      const Input input = MakeInput(2, tokens, 2, head_dim, 1);
      SCOPED_TRACE(testing::Message() << tokens << " tokens, heads of " << head_dim);
      CompareWithTwin(input, {}, {}, false, true);
    }
  }
}

TEST(AttentionTest, ProbesChosenRowsAndKeys) {
  const Input input = MakeInput(2, 310, 3, 16);
  for (const bool average : {false, true}) {
    for (const bool want_output : {false, true}) {
      CompareWithTwin(input, Every(5, 155, 1), Every(5, 310, 1), average, want_output);
      CompareWithTwin(input, Every(5, 155, 7), Every(5, 310, 3), average, want_output);
      CompareWithTwin(input, {309}, {0}, average, want_output);
      CompareWithTwin(input, {}, {0, 1, 2, 255, 256, 257, 309}, average, want_output);
    }
  }
}

TEST(AttentionTest, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000, beyond exp's range; a float32 of that size is off by 6e-5.
  const Input input = MakeInput(1, 130, 1, 64, 12);
  CompareWithTwin(input, Every(0, 130, 1), Every(0, 130, 1), false, true, 1e-3F);
}

TEST(AttentionTest, RowsOfAProbeSumToOne) {
  const Input input = MakeInput(1, 500, 4, 32);
  const auto rows = Every(0, 500, 1), keys = Every(5, 500, 2);
  std::vector<float> probed(rows.size() * keys.size());
  const AttentionProbe probe{rows, keys, true, probed.data()};
  AttentionWorkspace workspace;
  Attention(input.shape, input.q(), input.k(), nullptr, nullptr, &probe, workspace);
  for (size_t r = 0; r < rows.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < keys.size(); ++j) sum += probed[r * keys.size() + j];
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST(AttentionTest, SameBitsOnAnyNumberOfThreads) {
  const Input input = MakeInput(2, 400, 3, 32);
  const auto rows = Every(5, 200, 1), keys = Every(5, 400, 1);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    std::vector<float> out(2 * 400 * 3 * 32 + rows.size() * keys.size());
    const AttentionProbe probe{rows, keys, true, out.data() + 2 * 400 * 3 * 32};
    AttentionWorkspace workspace;
    Attention(input.shape, input.q(), input.k(), input.v(), out.data(), &probe, workspace);
    results.push_back(out);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace vggt
