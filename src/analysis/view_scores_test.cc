// SPDX-License-Identifier: Apache-2.0
#include "analysis/view_scores.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "qk_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::QkValues;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// Rewrites a global layer with what `change` makes of its queries and keys.
template <typename Change>
void ChangeLayer(const TestDir& dir, const QkDescription& d, size_t layer, Change change) {
  std::vector<float> q = QkValues(d, d.blocks[0], layer, 0), k = QkValues(d, d.blocks[0], layer, 1);
  change(q, k);
  testing::WriteQkLayer(dir / ("qk/" + d.blocks[0].layers[layer].file), d.shape(d.blocks[0]), q, k);
}

class ViewScoresTest : public ::testing::Test {
 protected:
  void TearDown() override { SetThreadCount(threads_); }

  TestDir dir_;
  const int threads_ = ThreadCount();
};

TEST(FrameMass, AsymmetryIsZeroForSymmetricAndRootTwoForOneWay) {
  PairScores f(2);
  f.values = {0.5, 0.2, 0.2, 0.1};
  EXPECT_EQ(Asymmetry(f), 0);
  f.values = {0, 1, 0, 0};
  EXPECT_DOUBLE_EQ(Asymmetry(f), std::sqrt(2.0));
  // Two heads, two pictures, the last column left out.
  const std::vector<float> mass = {0.5F, 0.25F, 0.25F, 0.125F, 0.5F,  0.375F,
                                   0.1F, 0.75F, 0.15F, 0.375F, 0.25F, 0.375F};
  EXPECT_THAT(MeanFrameMass(mass, 2, 2).values,
              ElementsAre(::testing::DoubleNear(0.3, 1e-7), 0.5, 0.25, 0.375));
}

// The definition by plain loops in double precision, of logits times `factor`.
double SlowMatchScore(const QkDescription& d, size_t layer, double factor, int64_t a, int64_t b) {
  const QkBlocks& blocks = d.blocks[0];
  const int64_t P = d.tokens_per_frame(blocks), S = blocks.specials();
  std::vector<std::vector<double>> mean(P - S, std::vector<double>(2 * P));
  for (int h = 1; h <= blocks.heads; ++h) {
    const SlowAttention slow(d, blocks, layer, h, false);
    for (int64_t u = 0; u < P - S; ++u) {
      std::vector<double> p(2 * P);
      double sum = 0;
      for (int64_t w = 0; w < 2 * P; ++w) {
        const int64_t query = w < P ? a * P + w : b * P + w - P;
        p[w] = std::exp(slow.Logit(query, a * P + S + u) / blocks.scale * factor);
        sum += p[w];
      }
      for (int64_t w = 0; w < 2 * P; ++w) mean[u][w] += p[w] / sum / blocks.heads;
    }
  }
  std::vector<double> best(P);
  for (int64_t u = 0; u < P - S; ++u) {
    const double own = *std::max_element(mean[u].begin(), mean[u].begin() + P) + 1e-8;
    for (int64_t v = 0; v < P; ++v) best[v] = std::max(best[v], mean[u][P + v] / own);
  }
  std::vector<double> sorted = best;
  std::sort(sorted.begin(), sorted.end());
  const double place = 0.75 * (P - 1);
  const auto below = static_cast<int64_t>(place);
  const double bound =
      sorted[below] + (place - below) * (sorted[std::min(below + 1, P - 1)] - sorted[below]);
  double sum = 0, count = 0;
  for (const double ratio : best) {
    if (ratio >= bound - 1e-9) sum += ratio, ++count;
  }
  return sum / count;
}

TEST_F(ViewScoresTest, MatchScoreIsThatOfAnIndependentScript) {
  const QkDescription d = SmallQkDescription(3, 7, 9);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  // Logits without 1/√d are about 12. As quarters of that, float32 has them to less than 1e-6.
  ChangeLayer(dir_, d, 1, [](std::vector<float>& q, std::vector<float>&) {
    for (float& x : q) x /= 4;
  });
  std::vector<FramePair> pairs = {{0, 1}, {1, 0}, {2, 0}};
  std::vector<std::vector<double>> got;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    got.push_back(MatchScores(store, 1, pairs).values);
  }
  for (const auto& [a, b] : pairs) {
    const double slow = SlowMatchScore(d, 1, 0.25, a, b);
    EXPECT_NEAR(got[0][a * 3 + b], slow, 1e-6 * slow) << a << b;
  }
  for (const int64_t absent : {0, 2, 4, 5, 7, 8}) EXPECT_TRUE(std::isnan(got[0][absent]));
  for (const int64_t i : {1, 3, 6}) {
    EXPECT_EQ(got[1][i], got[0][i]);
    EXPECT_EQ(got[2][i], got[0][i]);
  }
}

// If b's queries are those of a, each of them that is some key's best has a ratio of 1 (but for the
// 1e-8), and none has a larger one.
TEST_F(ViewScoresTest, EqualQueriesMatchWithRatiosUpToOne) {
  const QkDescription d = SmallQkDescription(2, 5, 7);
  const auto file = WriteQkStore(dir_.path(), d);
  const int64_t P = d.tokens_per_frame(d.blocks[0]);
  const auto copy = [&](std::vector<float>& q, std::vector<float>&) {
    for (int64_t h = 0; h < 3; ++h) {
      const auto head = q.begin() + h * 2 * P * 16;
      std::copy(head, head + P * 16, head + P * 16);
    }
  };
  ChangeLayer(dir_, d, 0, copy);
  const QkStore store(file, {});
  const double score = MatchScores(store, 0, std::vector<FramePair>{{0, 1}}).at(0, 1);
  EXPECT_LE(score, 1);
  // More than a quarter of the queries are some key's best, so that the upper quarter is all ones.
  EXPECT_GT(score, 1 - 1e-6);
  const double other = MatchScores(store, 1, std::vector<FramePair>{{0, 1}}).at(0, 1);
  EXPECT_GT(std::abs(other - 1), 1e-3);
}

TEST_F(ViewScoresTest, RelevanceAndSalienceAreMeansOfAllPairs) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const int64_t P = d.tokens_per_frame(d.blocks[0]);
  const PairScores relevance = RetrievalRelevance(store, 0), logits = MeanLogits(store, 1);
  const std::vector<double> salience = Salience(logits);
  for (int64_t a = 0; a < 3; ++a) {
    double of_all = 0;
    for (int64_t b = 0; b < 3; ++b) {
      double patches = 0, tokens = 0;
      for (int h = 1; h <= 3; ++h) {
        const SlowAttention before(d, d.blocks[0], 0, h, true), after(d, d.blocks[0], 1, h, false);
        for (int64_t u = 0; u < P; ++u) {
          for (int64_t v = 0; v < P; ++v) {
            tokens += after.Logit(a * P + u, b * P + v) / (P * P);
            if (u < 2 || v < 2) continue;
            patches += before.Logit(a * P + u, b * P + v) / d.blocks[0].scale / (12 * 12 * 3);
          }
        }
      }
      // Each rotated in float32 to about 1e-6.
      EXPECT_NEAR(relevance.at(a, b), patches, 1e-9);
      EXPECT_NEAR(logits.at(a, b), tokens, 1e-5);
      of_all += tokens;
    }
    EXPECT_NEAR(salience[a], of_all, 3e-5);
  }
}

TEST_F(ViewScoresTest, OutlierScoresFollowThePublishedCode) {
  const QkDescription d = SmallQkDescription(4, 3, 5);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const int64_t P = d.tokens_per_frame(d.blocks[0]), n = P - 2, anchor = 1;
  // The map by plain loops.
  std::vector<double> map(4 * P);
  for (int h = 1; h <= 3; ++h) {
    const SlowAttention slow(d, d.blocks[0], 1, h, true);
    for (int64_t u = 0; u < n; ++u) {
      for (int64_t j = 0; j < 4 * P; ++j) {
        map[j] +=
            slow.Value(Definition::kModel, anchor * P + 2 + u, j) / static_cast<double>(3 * n);
      }
    }
  }
  double least = 1, largest = 0;
  std::vector<double> attention(4);
  for (int64_t f = 0; f < 4; ++f) {
    for (int64_t j = f * P + 2; j < (f + 1) * P; ++j) {
      least = std::min(least, map[j]);
      largest = std::max(largest, map[j]);
      attention[f] += map[j] / static_cast<double>(n);
    }
  }
  for (double& x : attention) x = (x - least) / (largest - least);
  const auto scale = [](std::vector<double>& x) {
    const double low = *std::min_element(x.begin(), x.end());
    const double high = *std::max_element(x.begin(), x.end());
    for (double& value : x) value = (value - low) / (high - low + 1e-6);
  };
  scale(attention);
  // Hidden states in two dimensions: all patches of a picture at one angle.
  const std::vector<double> angles = {0, 0.3, 1.2, 3};
  std::vector<float> sums;
  std::vector<double> feature;
  for (const double angle : angles) {
    sums.push_back(static_cast<float>(n * std::cos(angle)));
    sums.push_back(static_cast<float>(n * std::sin(angle)));
    feature.push_back((1 + std::cos(angle - angles[anchor])) / 2);
  }
  scale(feature);

  const OutlierScores got = ComputeOutlierScores(store, 1, anchor, sums);
  for (int64_t f = 0; f < 4; ++f) {
    EXPECT_NEAR(got.attention[f], attention[f], 2e-4) << f;  // differences of near probabilities
    EXPECT_NEAR(got.feature[f], feature[f], 1e-6) << f;
    EXPECT_NEAR(got.combined[f], (got.attention[f] + got.feature[f]) / 2, 1e-12);
  }
  EXPECT_NEAR(got.feature[anchor], 1, 3e-6);
  EXPECT_EQ(got.feature[3], 0);
  const OutlierScores unknown = ComputeOutlierScores(store, 1, anchor, {});
  EXPECT_EQ(unknown.attention, got.attention);
  EXPECT_TRUE(unknown.feature.empty() && unknown.combined.empty());
  sums[3] = NAN;
  EXPECT_THAT(ErrorOf([&] { return ComputeOutlierScores(store, 1, anchor, sums); }),
              HasSubstr("sums of hidden states"));
}

TEST(MeanCosines, AreThoseOfAllPairs) {
  // Picture 0: patches at 0 and 90 degrees; picture 1: both at 45 degrees.
  const float half = std::sqrt(0.5F);
  const PairScores cosines = MeanCosines(std::vector<float>{1, 1, 2 * half, 2 * half}, 2, 2);
  EXPECT_NEAR(cosines.at(0, 0), 0.5, 1e-6);
  EXPECT_NEAR(cosines.at(0, 1), half, 1e-6);
  EXPECT_NEAR(cosines.at(1, 1), 1, 1e-6);
}

TEST(PicturesBelow, NeverHasTheAnchor) {
  EXPECT_THAT(PicturesBelow(std::vector<double>{0.1, 0.39, 0.4, 0.2}, 0.4, 0), ElementsAre(1, 3));
}

TEST_F(ViewScoresTest, RefusesAndStops) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  for (const FramePair& pair : std::vector<FramePair>{{0, 3}, {-1, 0}, {1, 1}}) {
    EXPECT_THAT(ErrorOf([&] { return MatchScores(store, 0, std::vector{pair}); }),
                HasSubstr("there is no pair of pictures"));
  }
  const StopCheck stop = [] { throw testing::Cancelled(); };
  EXPECT_THROW(MatchScores(store, 0, std::vector<FramePair>{{0, 1}}, stop), testing::Cancelled);
  EXPECT_THROW(ComputeOutlierScores(store, 0, 0, {}, stop), testing::Cancelled);

  const TestDir one;
  const QkStore alone(WriteQkStore(one.path(), SmallQkDescription(1)), {});
  EXPECT_THAT(ErrorOf([&] { return ComputeOutlierScores(alone, 0, 0, {}); }),
              HasSubstr("an outlier score needs at least two pictures"));
  EXPECT_THAT(ErrorOf([&] { return MeanLogits(alone, 0); }), HasSubstr("salience needs"));

  ChangeLayer(dir_, d, 0, [](std::vector<float>& q, std::vector<float>&) { q[100] = INFINITY; });
  const QkStore damaged(dir_ / "qk/attention.json", {});
  for (const auto& compute : std::vector<std::function<void()>>{
           [&] {
             MatchScores(damaged, 0, std::vector<FramePair>{{0, 1}});
           },
           [&] { ComputeOutlierScores(damaged, 0, 0, {}); },
           [&] { RetrievalRelevance(damaged, 0); }, [&] { MeanLogits(damaged, 0); }}) {
    EXPECT_THAT(ErrorOf(compute), HasSubstr("global_01.safetensors: holds queries or keys"));
  }
}

}  // namespace
}  // namespace vggt
