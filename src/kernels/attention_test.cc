// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/parallel.h"
#include "kernels/reference.h"

namespace vggt {
namespace {

struct Input {
  AttentionShape shape;
  std::vector<float> qkv;
  const float* q() const { return qkv.data(); }
  const float* k() const { return qkv.data() + shape.heads * shape.head_dim; }
  const float* v() const { return qkv.data() + 2 * shape.heads * shape.head_dim; }
};

// q, k and v side by side, as a linear layer leaves them; `spread` sets how peaked the rows are.
Input MakeInput(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim, float spread = 2) {
  Input input{{batch, tokens, heads, head_dim, 3 * heads * head_dim}, {}};
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, spread);
  input.qkv.resize(batch * tokens * input.shape.token_stride);
  for (float& v : input.qkv) v = normal(generator);
  return input;
}

std::vector<int32_t> Every(int32_t begin, int32_t end, int32_t step) {
  std::vector<int32_t> out;
  for (int32_t i = begin; i < end; i += step) out.push_back(i);
  return out;
}

// Each instruction set that this processor has, by turns; restored at the end.
class AttentionTest : public ::testing::Test {
 protected:
  ~AttentionTest() override { hwy::SetSupportedTargetsForTest(0); }
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
};

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
  probe.out = probed.data();
  AttentionWorkspace workspace;
  Attention(s, input.q(), input.k(), want_output ? input.v() : nullptr,
            want_output ? out.data() : nullptr, keys.empty() ? nullptr : &probe, workspace);
  ExpectNear(probed, expected_probed, tolerance, "probability");
  ExpectNear(out, expected, 3 * tolerance, "output");
}

TEST_F(AttentionTest, EqualsItsSlowTwinOnAwkwardSizes) {
  ForEachTarget([] {
    for (const int64_t head_dim : {4, 16, 20, 32, 64, 128}) {
      for (const int64_t tokens : {1, 5, 63, 96, 97, 256, 300}) {
        const Input input = MakeInput(2, tokens, 2, head_dim, 1);
        SCOPED_TRACE(testing::Message() << tokens << " tokens, heads of " << head_dim);
        CompareWithTwin(input, {}, {}, false, true);
      }
    }
  });
}

TEST_F(AttentionTest, ProbesChosenRowsAndKeys) {
  ForEachTarget([] {
    const Input input = MakeInput(2, 310, 3, 16);
    for (const bool average : {false, true}) {
      for (const bool want_output : {false, true}) {
        CompareWithTwin(input, Every(5, 155, 1), Every(5, 310, 1), average, want_output);
        CompareWithTwin(input, Every(5, 155, 7), Every(5, 310, 3), average, want_output);
        CompareWithTwin(input, {309}, {0}, average, want_output);
        CompareWithTwin(input, {}, {0, 1, 2, 255, 256, 257, 309}, average, want_output);
      }
    }
  });
}

TEST_F(AttentionTest, LargeLogitsDoNotOverflow) {
  // Logits of up to 1000, beyond exp's range; a float32 of that size is off by 6e-5.
  const Input input = MakeInput(1, 130, 1, 64, 12);
  CompareWithTwin(input, Every(0, 130, 1), Every(0, 130, 1), false, true, 1e-3F);
}

TEST_F(AttentionTest, RowsOfAProbeSumToOne) {
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

TEST_F(AttentionTest, SameBitsOnAnyNumberOfThreads) {
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
