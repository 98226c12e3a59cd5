// SPDX-License-Identifier: Apache-2.0
#include "analysis/block_masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace vggt {
namespace {

// Scores of blocks, means, softmax and choice by a second hand.
TEST(BlockMasks, KeepTheMostProbableBlocks) {
  constexpr int64_t kQueries = 300, kKeys = 200, kDim = 12;
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  std::vector<float> q(kQueries * kDim), k(kKeys * kDim);
  for (auto* x : {&q, &k}) {
    for (float& v : *x) v = 4 * normal(engine);
  }
  const std::vector<BlockMaskRule> rules = {{0.5, 1}, {0.9, 0.5}, {0, 0.75},
                                            {0, 1},   {1, 1},     {0, 0}};
  const auto masks = BlockMasks(q, k, kDim, 0.5, rules);
  constexpr int64_t kRows = 3, kBlocks = 4;
  for (int64_t r = 0; r < kRows; ++r) {
    std::vector<double> p;
    for (int64_t b = 0; b < kBlocks; ++b) {
      const int64_t q_end = std::min((r + 1) * kMaskQueries, kQueries);
      const int64_t k_end = std::min((b + 1) * kMaskKeys, kKeys);
      double dot = 0;  // of means = mean of the products
      for (int64_t i = r * kMaskQueries; i < q_end; ++i) {
        for (int64_t j = b * kMaskKeys; j < k_end; ++j) {
          for (int64_t c = 0; c < kDim; ++c) dot += double(q[i * kDim + c]) * k[j * kDim + c];
        }
      }
      const int64_t pairs = (q_end - r * kMaskQueries) * (k_end - b * kMaskKeys);
      p.push_back(std::exp(0.5 * dot / static_cast<double>(pairs)));
    }
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (size_t rule = 0; rule < rules.size(); ++rule) {
      ASSERT_EQ(std::ssize(masks[rule]), kRows * kBlocks);
      const auto least =
          std::max<int64_t>(1, static_cast<int64_t>(std::floor(kBlocks * (1 - rules[rule].ratio))));
      for (int64_t b = 0; b < kBlocks; ++b) {
        // Kept: one of the first blocks, or those before it do not reach the share.
        int64_t before = 0;
        double sum = 0;
        for (int64_t o = 0; o < kBlocks; ++o) {
          if (p[o] > p[b]) ++before, sum += p[o];
        }
        const bool kept = before < least || sum < rules[rule].cdf * total;
        EXPECT_EQ(masks[rule][r * kBlocks + b] != 0, kept) << r << " " << b << " rule " << rule;
      }
    }
  }
}

}  // namespace
}  // namespace vggt
