// SPDX-License-Identifier: Apache-2.0
#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ops/reference.h"

namespace vggt {
namespace {

TEST(Rope, EqualsItsSlowTwin) {
  for (const int64_t head_dim : {4, 16, 32, 64, 128}) {
    constexpr int64_t kTokens = 50, kHeads = 2;
    const int64_t stride = 3 * kHeads * head_dim;
    std::mt19937 generator(1);
    std::uniform_real_distribution<float> uniform(-2, 2);
    std::vector<float> x(kTokens * stride);
    for (float& v : x) v = uniform(generator);
    std::vector<int32_t> positions;
    for (int32_t t = 0; t < kTokens; ++t) {
      positions.push_back(t < 5 ? 0 : 1 + t / 7);
      positions.push_back(t < 5 ? 0 : 1 + t % 40);
    }
    auto expected = x;
    Rope(RopeTable(head_dim, 40), kTokens, kHeads, stride, positions.data(), x.data());
    reference::Rope(kTokens, kHeads, head_dim, stride, positions.data(), expected.data());
    // A float32 angle of 40 radians is off by up to 2e-6.
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], expected[i], 1e-5F) << i;
  }
}

TEST(Rope, TurnsTheHalvesByRowAndColumn) {
  // Channel 0 of each half is rotated by the whole angle, in a pair with channel head_dim/4.
  std::vector<float> x = {1, 0, 1, 0};
  const std::vector<int32_t> position = {1, 2};
  Rope(RopeTable(4, 2), 1, 1, 4, position.data(), x.data());
  EXPECT_NEAR(x[0], std::cos(1.0), 1e-6);
  EXPECT_NEAR(x[1], std::sin(1.0), 1e-6);
  EXPECT_NEAR(x[2], std::cos(2.0), 1e-6);
  EXPECT_NEAR(x[3], std::sin(2.0), 1e-6);
}

TEST(Rope, PositionsOfAGrid) {
  // Two frames of two special tokens and 2 × 3 patches.
  const std::vector<int32_t> frame = {0, 0, 0, 0, 1, 1, 1, 2, 1, 3, 2, 1, 2, 2, 2, 3};
  std::vector<int32_t> both = frame;
  both.insert(both.end(), frame.begin(), frame.end());
  EXPECT_EQ(RopePositions({2, 2, 2, 3}, 1), both);
  EXPECT_EQ(RopePositions({1, 1, 1, 2}, 0), (std::vector<int32_t>{0, 0, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace vggt
