// SPDX-License-Identifier: Apache-2.0
#include "ops/norms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/parallel.h"

namespace vggt {
namespace {

std::vector<float> Gaussian(int64_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.3F, 2);
  std::vector<float> values(static_cast<size_t>(size));
  for (float& v : values) v = normal(generator);
  return values;
}

struct Extents {
  int64_t tokens, heads, head_dim, stride, rows;  // rows of the projection
};
// Heads narrower than a vector, of no multiple of one, and the models' own.
constexpr Extents kExtents[] = {{1, 1, 1, 1, 1},
                                {7, 3, 5, 19, 9},
                                {33, 2, 16, 96, 32},
                                {65, 3, 67, 210, 50},
                                {40, 4, 64, 256, 256}};

TEST(Norms, OfHeadsEqualTheirSlowTwin) {
  for (const auto& [tokens, heads, head_dim, stride, rows] : kExtents) {
    const auto x = Gaussian(tokens * stride, 1), w = Gaussian(rows * heads * head_dim, 2);
    std::vector<float> norms(heads * tokens), projected(heads * tokens);
    std::vector<float> grams(heads * head_dim * head_dim);
    HeadNorms(tokens, heads, head_dim, stride, x.data(), norms.data());
    HeadGrams(rows, heads, head_dim, w.data(), grams.data());
    HeadGramNorms(tokens, heads, head_dim, stride, x.data(), grams.data(), projected.data());
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t = 0; t < tokens; ++t) {
        const float* v = &x[t * stride + h * head_dim];
        double squares = 0, projected_squares = 0;
        for (int64_t c = 0; c < head_dim; ++c) squares += double{v[c]} * v[c];
        for (int64_t r = 0; r < rows; ++r) {
          double product = 0;
          for (int64_t c = 0; c < head_dim; ++c) {
            product += double{w[(r * heads + h) * head_dim + c]} * v[c];
          }
          projected_squares += product * product;
        }
        // float32, whose rounding is 6e-8, over sums of up to 67 and of 67 · 256 products.
        ASSERT_NEAR(norms[h * tokens + t], std::sqrt(squares), 1e-6 * std::sqrt(squares));
        ASSERT_NEAR(projected[h * tokens + t], std::sqrt(projected_squares),
                    1e-5 * std::sqrt(projected_squares));
      }
    }
  }
}

// W keeps only the first channel, and x has almost nothing there.
TEST(Norms, SayNothingWhereTheProjectionDoes) {
  constexpr int64_t kDim = 64;
  std::vector<float> w(kDim * kDim), x(2 * kDim, 1.0F), grams(kDim * kDim), norms(2);
  w[0] = 3;
  x[0] = 0;
  x[kDim] = 1e-3F;
  HeadGrams(kDim, 1, kDim, w.data(), grams.data());
  HeadGramNorms(2, 1, kDim, kDim, x.data(), grams.data(), norms.data());
  EXPECT_EQ(norms[0], 0);
  EXPECT_NEAR(norms[1], 3e-3F, 1e-9F);
}

TEST(Norms, OfWhatIsInfiniteOrNanAreNot) {
  for (const float bad : {INFINITY, NAN}) {
    std::vector<float> x(20, 1.0F), norms(2), grams(100, 0.5F);
    x[13] = bad;
    HeadNorms(2, 1, 10, 10, x.data(), norms.data());
    EXPECT_TRUE(std::isfinite(norms[0]));
    EXPECT_FALSE(std::isfinite(norms[1]));
    HeadGramNorms(2, 1, 10, 10, x.data(), grams.data(), norms.data());
    EXPECT_TRUE(std::isfinite(norms[0]));
    EXPECT_FALSE(std::isfinite(norms[1]));
  }
}

TEST(Norms, UnitSumsEqualTheirSlowTwin) {
  for (const TokenGrid grid : {TokenGrid{1, 0, 1, 1}, {3, 2, 2, 3}, {2, 5, 7, 9}}) {
    for (const int64_t channels : {1, 63, 64, 130}) {
      auto x = Gaussian(grid.tokens() * channels, 3);
      // A patch without direction, if there is more than one.
      if (grid.frames > 1) std::fill_n(&x[grid.patch(1, 0, 1) * channels], channels, 0.0F);
      std::vector<float> norms(grid.tokens()), sums(grid.frames * channels);
      HeadNorms(grid.tokens(), 1, channels, channels, x.data(), norms.data());
      UnitSums(grid, channels, x.data(), norms.data(), sums.data());
      for (int64_t f = 0; f < grid.frames; ++f) {
        std::vector<double> expected(channels);
        for (int64_t row = 0; row < grid.height; ++row) {
          for (int64_t column = 0; column < grid.width; ++column) {
            const float* of = &x[grid.patch(f, row, column) * channels];
            double squares = 0;
            for (int64_t c = 0; c < channels; ++c) squares += double{of[c]} * of[c];
            if (squares == 0) continue;
            for (int64_t c = 0; c < channels; ++c) expected[c] += of[c] / std::sqrt(squares);
          }
        }
        // The norms are rounded to float32, and 63 vectors of length 1 are summed at most.
        for (int64_t c = 0; c < channels; ++c) {
          ASSERT_NEAR(sums[f * channels + c], expected[c], 1e-5);
        }
      }
    }
  }
}

// The mean cosine of all pairs follows from the sum: (‖Σ x / ‖x‖‖² - n) / (n (n - 1)).
TEST(Norms, UnitSumsTellTheMeanCosine) {
  constexpr int64_t kChannels = 32;
  const TokenGrid grid{1, 3, 6, 7};
  const auto x = Gaussian(grid.tokens() * kChannels, 4);
  std::vector<float> norms(grid.tokens()), sum(kChannels);
  HeadNorms(grid.tokens(), 1, kChannels, kChannels, x.data(), norms.data());
  UnitSums(grid, kChannels, x.data(), norms.data(), sum.data());
  double squares = 0, cosines = 0;
  for (const float s : sum) squares += double{s} * s;
  const int64_t n = grid.patches();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double dot = 0, own = 0, other = 0;
      for (int64_t c = 0; c < kChannels; ++c) {
        const double a = x[(grid.first_patch(0) + i) * kChannels + c];
        const double b = x[(grid.first_patch(0) + j) * kChannels + c];
        dot += a * b;
        own += a * a;
        other += b * b;
      }
      if (i != j) cosines += dot / std::sqrt(own * other);
    }
  }
  const auto pairs = static_cast<double>(n * (n - 1));
  EXPECT_NEAR((squares - static_cast<double>(n)) / pairs, cosines / pairs, 1e-6);
}

TEST(Norms, ThreadsDoNotMatter) {
  const TokenGrid grid{3, 1, 9, 11};
  constexpr int64_t kHeads = 3, kDim = 20, kChannels = kHeads * kDim;
  const auto x = Gaussian(grid.tokens() * kChannels, 5), w = Gaussian(kChannels * kChannels, 6);
  const auto all = [&](int threads) {
    SetThreadCount(threads);
    const int64_t tokens = grid.tokens();
    std::vector<float> out(tokens * (1 + 2 * kHeads) + kHeads * kDim * kDim + 3 * kChannels);
    float *norms = out.data(), *v = norms + tokens, *wov = v + kHeads * tokens;
    float *grams = wov + kHeads * tokens, *sums = grams + kHeads * kDim * kDim;
    HeadNorms(tokens, 1, kChannels, kChannels, x.data(), norms);
    HeadNorms(tokens, kHeads, kDim, kChannels, x.data(), v);
    HeadGrams(kChannels, kHeads, kDim, w.data(), grams);
    HeadGramNorms(tokens, kHeads, kDim, kChannels, x.data(), grams, wov);
    UnitSums(grid, kChannels, x.data(), norms, sums);
    return out;
  };
  const int before = ThreadCount();
  const auto one = all(1);
  EXPECT_EQ(all(2), one);
  EXPECT_EQ(all(5), one);
  SetThreadCount(before);
}

}  // namespace
}  // namespace vggt
