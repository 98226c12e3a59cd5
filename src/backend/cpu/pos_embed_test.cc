// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/pos_embed.h"

#include <gtest/gtest.h>

#include <numeric>

namespace vggt {
namespace {

TEST(PosEmbed, WeightsAreAPartitionOfUnity) {
  for (const auto& [in, out] : {std::pair{37, 25}, {37, 37}, {37, 50}, {37, 1}, {1, 5}}) {
    const auto weights = BicubicWeights(in, out);
    for (int i = 0; i < out; ++i) {
      const double sum = std::accumulate(&weights[i * in], &weights[i * in] + in, 0.0);
      EXPECT_NEAR(sum, 1, 1e-12) << in << " to " << out;
    }
  }
}

TEST(PosEmbed, SameSizeIsTheIdentity) {
  const auto weights = BicubicWeights(5, 5);
  for (int i = 0; i < 25; ++i) EXPECT_NEAR(weights[i], i % 6 == 0 ? 1 : 0, 1e-12);
}

TEST(PosEmbed, KeysKernelByHand) {
  // Doubling three samples: the second output lies at 0.25 of the input, distances 0.25,
  // 0.75, 1.75.
  const auto weights = BicubicWeights(3, 6);
  const double w0 = 1.5 * 0.015625 - 2.5 * 0.0625 + 1;              // |t| = 0.25
  const double w1 = 1.5 * 0.421875 - 2.5 * 0.5625 + 1;              // |t| = 0.75
  const double w2 = -0.5 * (5.359375 - 5 * 3.0625 + 8 * 1.75 - 4);  // |t| = 1.75
  const double sum = w0 + w1 + w2;
  EXPECT_NEAR(weights[3 + 0], w0 / sum, 1e-12);
  EXPECT_NEAR(weights[3 + 1], w1 / sum, 1e-12);
  EXPECT_NEAR(weights[3 + 2], w2 / sum, 1e-12);
}

TEST(PosEmbed, KeepsTheClsTokenAndPlainGrids) {
  constexpr int64_t kGrid = 4, kDim = 3;
  FloatBuffer embed((1 + kGrid * kGrid) * kDim);
  for (size_t i = 0; i < embed.size(); ++i) embed[i] = static_cast<float>(i);
  const FloatBuffer same = ResamplePosEmbed(embed, kGrid, kDim, kGrid, kGrid);
  for (size_t i = 0; i < embed.size(); ++i) EXPECT_EQ(same[i], embed[i]);

  // A constant channel stays constant at any size.
  for (int64_t i = 0; i < kGrid * kGrid; ++i) embed[(1 + i) * kDim + 1] = 7;
  const FloatBuffer other = ResamplePosEmbed(embed, kGrid, kDim, 6, 2);
  ASSERT_EQ(other.size(), (1 + 6 * 2) * kDim);
  EXPECT_EQ(other[0], 0);
  EXPECT_EQ(other[2], 2);
  for (int64_t i = 0; i < 12; ++i) EXPECT_NEAR(other[(1 + i) * kDim + 1], 7, 1e-5F);
}

// Without antialias each sample is of the four nearest; weights add up to 1, edges are repeated.
TEST(PosEmbed, WithoutAntialiasSamplesLieByTheGivenScale) {
  const Resampling plain{.antialias = false, .offset = 0.1};
  for (const auto& [n_in, n_out] : {std::pair{37, 11}, {5, 9}, {4, 4}, {1, 3}}) {
    const std::vector<double> weights = BicubicWeights(n_in, n_out, plain);
    for (int64_t i = 0; i < n_out; ++i) {
      double sum = 0, centre = 0;
      for (int64_t j = 0; j < n_in; ++j) {
        sum += weights[i * n_in + j];
        centre += weights[i * n_in + j] * static_cast<double>(j);
      }
      EXPECT_NEAR(sum, 1, 1e-12);
      const double at = (static_cast<double>(i) + 0.5) * n_in / (n_out + 0.1) - 0.5;
      // A cubic kernel keeps straight lines, where no edge cuts it; a = -0.75 but nearly.
      if (at > 1 && at < n_in - 3.0) {
        EXPECT_NEAR(centre, at, 0.1) << i;
      }
    }
  }
  const std::vector<double> weights = BicubicWeights(4, 4, {.antialias = false, .offset = 0});
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(weights[i], i % 5 == 0 ? 1 : 0, 1e-12);
}

}  // namespace
}  // namespace vggt
