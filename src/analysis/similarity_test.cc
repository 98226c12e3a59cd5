// SPDX-License-Identifier: Apache-2.0
#include "analysis/similarity.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "attention/request.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// Vectors of all tokens, of one head or of all joined.
std::vector<std::vector<double>> Vectors(const QkDescription& d, const QkBlocks& blocks,
                                         size_t layer, int which, int64_t head) {
  const std::vector<float> all = QkValues(d, blocks, layer, which);
  const int64_t tokens = d.token_grid(blocks).tokens();
  std::vector<std::vector<double>> vectors(tokens);
  for (int64_t h = 0; h < blocks.heads; ++h) {
    if (head != blocks.heads && head != h) continue;
    for (int64_t t = 0; t < tokens; ++t) {
      const auto first = all.begin() + (h * tokens + t) * blocks.head_dim;
      vectors[t].insert(vectors[t].end(), first, first + blocks.head_dim);
    }
  }
  return vectors;
}

double Cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t c = 0; c < a.size(); ++c) {
    ab += a[c] * b[c];
    aa += a[c] * a[c];
    bb += b[c] * b[c];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

// The means, pair by pair.
CosineMeans SlowMeans(const std::vector<std::vector<double>>& x, const TokenGrid& grid) {
  double sums[3] = {}, counts[3] = {};
  for (int64_t a = 0; a < grid.frames; ++a) {
    for (int64_t b = 0; b < grid.frames; ++b) {
      for (int64_t i = 0; i < grid.patches(); ++i) {
        for (int64_t j = 0; j < grid.patches(); ++j) {
          if (a == b && i == j) continue;
          const double cosine = Cosine(x[grid.first_patch(a) + i], x[grid.first_patch(b) + j]);
          for (const int which : {0, 1, 2}) {
            const bool counts_here = which == 0 ? a == b : a != b && (which == 1 || i == j);
            if (counts_here) sums[which] += cosine, ++counts[which];
          }
        }
      }
    }
  }
  return {sums[0] / counts[0], sums[1] / counts[1], sums[2] / counts[2]};
}

void ExpectMeans(const CosineMeans& got, const CosineMeans& expected) {
  // Lengths are float32: a relative 1e-7 or so.
  const auto near = [](double a, double b) {
    EXPECT_TRUE(std::abs(a - b) < 1e-6 || (std::isnan(a) && std::isnan(b))) << a << " " << b;
  };
  near(got.within, expected.within);
  near(got.across, expected.across);
  near(got.same_cell, expected.same_cell);
}

TEST(Similarity, ClosedFormsAreTheMeansOverAllPairs) {
  for (const auto& [frames, height, width] :
       {std::tuple(3, 4, 5), std::tuple(2, 1, 1), std::tuple(1, 3, 7), std::tuple(1, 1, 1)}) {
    const QkDescription d = SmallQkDescription(frames, height, width, 12);
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    for (const QkBlocks& blocks : d.blocks) {
      SCOPED_TRACE(::testing::Message() << frames << " pictures, " << BlockKindName(blocks.kind));
      const TokenGrid grid = d.token_grid(blocks);
      const auto layers = ComputeSimilarity(store, blocks.kind);
      ASSERT_EQ(layers.size(), blocks.layers.size());
      for (size_t i = 0; i < layers.size(); ++i) {
        EXPECT_EQ(layers[i].layer_index, blocks.layers[i].index);
        for (const int which : {0, 1}) {
          const VectorSimilarity& got = which == 0 ? layers[i].queries : layers[i].keys;
          ASSERT_EQ(std::ssize(got.cosines), blocks.heads + 1);
          for (int64_t h = 0; h <= blocks.heads; ++h) {
            ExpectMeans(got.cosines[h], SlowMeans(Vectors(d, blocks, i, which, h), grid));
          }
        }
        EXPECT_TRUE(std::isnan(layers[i].hidden.within));
      }
    }
  }
}

TEST(Similarity, CosinesBetweenPictures) {
  const QkDescription d = SmallQkDescription(3, 4, 5);
  const QkBlocks& blocks = d.blocks[0];
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const auto layers = ComputeSimilarity(store, BlockKind::kGlobal);
  const TokenGrid grid = d.token_grid(blocks);
  const auto x = Vectors(d, blocks, 1, 1, blocks.heads);
  for (int64_t a = 0; a < 3; ++a) {
    for (int64_t b = 0; b < 3; ++b) {
      double sum = 0;
      for (int64_t i = 0; i < 20; ++i) {
        for (int64_t j = 0; j < 20; ++j) {
          if (a == b && i == j) continue;
          sum += Cosine(x[grid.first_patch(a) + i], x[grid.first_patch(b) + j]);
        }
      }
      EXPECT_NEAR(layers[1].keys.frames[a * 3 + b], sum / (a == b ? 380 : 400), 1e-6);
    }
  }
}

// Every pair of the sample, of both layers, correlated by a second hand.
TEST(Similarity, NextLayerIsTheCorrelationOfAllPairs) {
  const QkDescription d = SmallQkDescription(3, 4, 5);
  const QkBlocks& blocks = d.blocks[0];
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const auto layers = ComputeSimilarity(store, BlockKind::kGlobal);
  const std::vector<int64_t>& sample = layers[0].sample;
  ASSERT_EQ(sample.size(), 60U);  // all patches
  std::vector<double> pairs[2];
  for (const size_t layer : {0U, 1U}) {
    const auto x = Vectors(d, blocks, layer, 1, blocks.heads);
    for (const int64_t i : sample) {
      for (const int64_t j : sample) {
        if (i < j) pairs[layer].push_back(Cosine(x[i], x[j]));
      }
    }
  }
  const auto n = static_cast<double>(pairs[0].size());
  double sums[2] = {}, squares[2] = {}, product = 0;
  for (size_t i = 0; i < pairs[0].size(); ++i) {
    for (const int layer : {0, 1}) {
      sums[layer] += pairs[layer][i];
      squares[layer] += pairs[layer][i] * pairs[layer][i];
    }
    product += pairs[0][i] * pairs[1][i];
  }
  const double expected =
      (n * product - sums[0] * sums[1]) /
      std::sqrt((n * squares[0] - sums[0] * sums[0]) * (n * squares[1] - sums[1] * sums[1]));
  EXPECT_NEAR(layers[0].keys.next_layer, expected, 1e-6);
  EXPECT_TRUE(std::isnan(layers[1].keys.next_layer));
}

TEST(Similarity, CorrelationOfEqualAndOppositeValues) {
  const std::vector<float> a = {1, 2, 3, 5}, b = {-2, -4, -6, -10}, flat(4, 0.1F);
  EXPECT_NEAR(Correlation(a, a), 1, 1e-12);
  EXPECT_NEAR(Correlation(a, b), -1, 1e-12);
  EXPECT_TRUE(std::isnan(Correlation(a, flat)));
  EXPECT_TRUE(std::isnan(Correlation({}, {})));
}

TEST(Similarity, RanksOfKnownMatrices) {
  const auto ranks = [](const std::vector<double>& x, int64_t rows) {
    return RanksOf(x, rows, std::ssize(x) / rows);
  };
  // Singular values all equal.
  const MatrixRanks one = ranks({1, 0, 0, 0, 1, 0, 0, 0, 1}, 3);
  EXPECT_NEAR(one.effective, 3, 1e-9);
  EXPECT_NEAR(one.stable, 3, 1e-9);
  EXPECT_NEAR(one.first_share, 1.0 / 3, 1e-9);
  // One direction.
  const MatrixRanks line = ranks({1, 2, 3, 2, 4, 6, -1, -2, -3, 0.5, 1, 1.5}, 4);
  EXPECT_NEAR(line.effective, 1, 1e-5);
  EXPECT_NEAR(line.stable, 1, 1e-9);
  EXPECT_NEAR(line.first_share, 1, 1e-6);
  // Singular values 3 and 1: p = 3/4 and 1/4.
  const std::vector<double> wide = {3, 0, 0, 0, 0, 1}, tall = {3, 0, 0, 1, 0, 0};
  for (const MatrixRanks& two : {ranks(wide, 2), ranks(tall, 3)}) {
    EXPECT_NEAR(two.effective, std::exp(-0.75 * std::log(0.75) - 0.25 * std::log(0.25)), 1e-9);
    EXPECT_NEAR(two.stable, 10.0 / 9, 1e-9);
    EXPECT_NEAR(two.first_share, 0.75, 1e-9);
  }
  EXPECT_EQ(ranks({0, 0, 0, 0}, 2).effective, 0);
}

// Keys that are all the same fill one direction; those of heads are scaled unit vectors.
TEST(Similarity, EqualKeysHaveCosineOneAndRankOne) {
  QkDescription d = SmallQkDescription(2, 3, 4, 8);
  d.blocks.resize(1);
  const TestDir dir;
  const std::filesystem::path file = WriteQkStore(dir.path(), d);
  const Shape shape = d.shape(d.blocks[0]);
  const std::vector<float> q = QkValues(d, d.blocks[0], 0, 0);
  std::vector<float> k;
  for (int64_t i = 0; i < NumElements(shape); ++i) {
    k.push_back(static_cast<float>(1 + i % shape[2]) * static_cast<float>(1 + i / shape[2] % 3));
  }
  for (const QkLayer& layer : d.blocks[0].layers) {
    testing::WriteQkLayer(file.parent_path() / layer.file, shape, q, k);
  }
  const QkStore store(file, {});
  for (const LayerSimilarity& layer : ComputeSimilarity(store, BlockKind::kGlobal)) {
    for (size_t h = 0; h < layer.keys.cosines.size(); ++h) {
      const bool joined = h + 1 == layer.keys.cosines.size();
      if (!joined) {
        EXPECT_NEAR(layer.keys.cosines[h].within, 1, 1e-6);
        EXPECT_NEAR(layer.keys.cosines[h].across, 1, 1e-6);
        EXPECT_NEAR(layer.keys.cosines[h].same_cell, 1, 1e-6);
        EXPECT_NEAR(layer.keys.ranks[h].effective, 1, 1e-4);
      }
      EXPECT_LT(layer.queries.cosines[h].within, 0.9);
      EXPECT_GT(layer.queries.ranks[h].effective, 4);
      EXPECT_LE(layer.queries.ranks[h].effective, joined ? 24 : 8);
    }
  }
}

TEST(Similarity, HiddenStatesFollowFromTheirSums) {
  const TokenGrid grid = {3, 0, 2, 3};
  constexpr int64_t kChannels = 5;
  std::mt19937 engine(1);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> x(18, std::vector<double>(kChannels));
  std::vector<float> sums(3 * kChannels, 0);
  for (size_t t = 0; t < x.size(); ++t) {
    double square = 0;
    for (double& v : x[t]) {
      v = normal(engine);
      square += v * v;
    }
    for (int64_t c = 0; c < kChannels; ++c) {
      sums[t / 6 * kChannels + c] += static_cast<float>(x[t][c] / std::sqrt(square));
    }
  }
  const std::vector<double> got = CosinesOfSums(sums, 3, 6);
  const CosineMeans expected = SlowMeans(x, grid);
  EXPECT_NEAR((got[0] + got[4] + got[8]) / 3, expected.within, 1e-6);
  EXPECT_NEAR((got[1] + got[2] + got[5]) / 3, expected.across, 1e-6);
}

TEST(Similarity, SampleIsSpreadOverPictures) {
  for (const int64_t frames : {1, 5, 50, 700}) {
    const TokenGrid grid = {frames, 5, 37, 37};
    const std::vector<int64_t> sample = SimilaritySample(grid);
    EXPECT_EQ(sample.size(), 512U);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end(), std::less_equal<>()));
    std::set<int64_t> seen;
    for (const int64_t t : sample) {
      EXPECT_GE(t % grid.tokens_per_frame(), 5);
      seen.insert(t / grid.tokens_per_frame());
    }
    EXPECT_EQ(std::ssize(seen), std::min<int64_t>(frames, 512));
  }
  EXPECT_EQ(SimilaritySample({2, 1, 1, 2}), (std::vector<int64_t>{1, 2, 4, 5}));
}

TEST(Similarity, RefusesWhatIsNoNumberAndStops) {
  QkDescription d = SmallQkDescription(2, 2, 2);
  d.blocks.resize(1);
  const TestDir dir;
  const std::filesystem::path file = WriteQkStore(dir.path(), d);
  const QkStore good(file, {});
  EXPECT_THROW(ComputeSimilarity(good, BlockKind::kGlobal, [] { throw Error("stop"); }), Error);
  std::vector<float> q = QkValues(d, d.blocks[0], 0, 0), k = q;
  k[7] = INFINITY;
  testing::WriteQkLayer(file.parent_path() / d.blocks[0].layers[1].file, d.shape(d.blocks[0]), q,
                        k);
  const QkStore store(file, {});
  EXPECT_THROW(ComputeSimilarity(store, BlockKind::kGlobal), Error);
  EXPECT_THROW(ComputeSimilarity(store, BlockKind::kEncoder), Error);
}

}  // namespace
}  // namespace vggt
