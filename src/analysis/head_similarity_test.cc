// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_similarity.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "qk_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkLayer;
using testing::WriteQkStore;

class HeadSimilarity : public ::testing::Test {
 protected:
  void TearDown() override { SetThreadCount(threads_); }
  TestDir dir_;
  const int threads_ = ThreadCount();
};

TEST_F(HeadSimilarity, ComparesEvenlySpacedPatches) {
  const auto queries = [](int64_t frames) { return SimilarityQueries({frames, 5, 14, 22}); };
  EXPECT_EQ(queries(1).size(), 4U);
  EXPECT_EQ(queries(5).size(), 20U);
  EXPECT_EQ(queries(8).size(), 32U);
  EXPECT_EQ(queries(10).size(), 30U);
  EXPECT_EQ(queries(16).size(), 32U);
  EXPECT_EQ(queries(50).size(), 32U);
  EXPECT_EQ(SimilarityQueries({2, 1, 1, 1}), (std::vector<int64_t>{1, 3}));
  for (const int64_t frames : {1, 3, 9, 33, 200}) {
    const std::vector<int64_t> all = queries(frames);
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), std::less_equal<>()));
    for (const int64_t query : all) EXPECT_GE(query % 313, 5);
    EXPECT_LT(all.back() / 313, frames);
    EXPECT_GE(all.back() / 313, frames - 1 - frames / 32);
  }
}

// By the definition, in double precision.
double SlowDistance(const SlowAttention& a, const SlowAttention& b, int64_t query) {
  double bits = 0;
  for (int64_t j = 0; j < a.tokens(); ++j) {
    const double p = a.Value(Definition::kModel, query, j);
    const double q = b.Value(Definition::kModel, query, j);
    const double m = 0.5 * (p + q);
    if (p > 0) bits += 0.5 * p * std::log2(p / m);
    if (q > 0) bits += 0.5 * q * std::log2(q / m);
  }
  return std::sqrt(std::max(bits, 0.0));
}

TEST_F(HeadSimilarity, EqualsTheSlowWay) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  for (const QkBlocks& blocks : store.description().blocks) {
    const HeadRef head = {blocks.kind, blocks.layers.size() - 1, 2};
    const std::vector<HeadDistance> found = SimilarHeads(store, head);
    ASSERT_EQ(found.size(), blocks.layers.size() * static_cast<size_t>(blocks.heads) - 1);
    const SlowAttention own(d, blocks, head.layer, head.head, false);
    const auto queries = SimilarityQueries(d.token_grid(blocks));
    double last = 0;
    for (const HeadDistance& other : found) {
      EXPECT_FALSE(other.layer == head.layer && other.head == head.head);
      const SlowAttention rows(d, blocks, other.layer, other.head, false);
      double expected = 0;
      for (const int64_t query : queries) expected += SlowDistance(own, rows, query);
      // Probabilities have a relative error of 1e-5.
      EXPECT_NEAR(other.distance, expected / static_cast<double>(queries.size()), 2e-5);
      EXPECT_GT(other.distance, 0.05);
      EXPECT_GE(other.distance, last);
      last = other.distance;
    }
  }
}

TEST_F(HeadSimilarity, DoesNotDependOnTheNumberOfThreads) {
  const QkStore store(WriteQkStore(dir_.path(), SmallQkDescription()), {});
  SetThreadCount(1);
  const std::vector<HeadDistance> one = SimilarHeads(store, {BlockKind::kGlobal, 0, 1});
  SetThreadCount(3);
  const std::vector<HeadDistance> three = SimilarHeads(store, {BlockKind::kGlobal, 0, 1});
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].distance, three[i].distance);
}

// Head 1 of layer 5 has the rows of head 1 of layer 1; heads 2 look at one patch each, heads 3 at
// another.
TEST_F(HeadSimilarity, IsZeroForEqualRowsAndOneForRowsApart) {
  QkDescription d = SmallQkDescription();
  d.blocks.resize(1);
  d.blocks[0].rope.type = RopeType::kNone;
  d.blocks[0].scale = 1;
  const auto description = WriteQkStore(dir_.path(), d);
  const Shape shape = d.shape(d.blocks[0]);
  std::vector<float> q(static_cast<size_t>(NumElements(shape)), 0), k = q;
  const int64_t tokens = shape[1], dim = shape[2];
  for (int64_t head = 0; head < 3; ++head) {
    for (int64_t t = 0; t < tokens; ++t) q[(head * tokens + t) * dim] = 20;
    k[(head * tokens + 2 + 5 * head) * dim] = 20;
  }
  for (const char* name : {"qk/global_01.safetensors", "qk/global_05.safetensors"}) {
    WriteQkLayer(dir_ / name, shape, q, k);
  }
  const QkStore store(description, {});
  const std::vector<HeadDistance> found = SimilarHeads(store, {BlockKind::kGlobal, 0, 1});
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].layer, 1U);
  EXPECT_EQ(found[0].head, 1);
  EXPECT_EQ(found[0].distance, 0);
  // All but exp(-400) of the mass is on one key, but sums of float32 are exact to 1e-7.
  for (size_t i = 1; i < 5; ++i) EXPECT_NEAR(found[i].distance, 1, 1e-6);
}

TEST_F(HeadSimilarity, LeavesOutWhatCannotBeRead) {
  const QkDescription d = SmallQkDescription();
  const auto description = WriteQkStore(dir_.path(), d);
  const Shape shape = d.shape(d.blocks[0]);
  std::vector<float> bad(static_cast<size_t>(NumElements(shape)), 0.5F);
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  WriteQkLayer(dir_ / "qk/global_05.safetensors", shape, bad, bad);
  const QkStore store(description, {});
  EXPECT_EQ(SimilarHeads(store, {BlockKind::kGlobal, 0, 1}).size(), 4U);  // its heads 2 and 3 can
  EXPECT_THAT(ErrorOf([&] {
                SimilarHeads(store, {BlockKind::kGlobal, 1, 1});
              }),
              HasSubstr("global_05"));
  EXPECT_THAT(ErrorOf([&] {
                SimilarHeads(store, {BlockKind::kGlobal, 2, 1});
              }),
              HasSubstr("layer"));
  EXPECT_THROW(SimilarHeads(store, {BlockKind::kGlobal, 0, 1}, [] { throw Interrupted(); }),
               Interrupted);
}

}  // namespace
}  // namespace vggt
