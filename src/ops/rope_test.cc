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

// Any angles, pairs across the axes, against complex numbers.
TEST(Rope, TurnsPairsAcrossTheAxes) {
  constexpr int64_t kQuarter = 3, kDim = 4 * kQuarter, kPositions = 4;
  std::vector<double> angles(kPositions * kQuarter);
  for (size_t i = 0; i < angles.size(); ++i) angles[i] = std::sin(1.0 + static_cast<double>(i));
  const RopeTable table(kDim, angles, RopePairs::kAcross);
  const std::vector<int32_t> positions = {0, 0, 1, 3, 2, 1};  // y and x of three tokens
  std::vector<float> x(3 * 2 * kDim);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::cos(static_cast<float>(i));
  std::vector<float> turned = x;
  Rope(table, 3, 2, 2 * kDim, positions.data(), turned.data());
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t c = 0; c < 2 * kDim; ++c) {
      const int64_t in_head = c % kDim, pair = in_head % (2 * kQuarter);
      const int32_t position = positions[2 * t + pair / kQuarter];
      const double angle = t == 0 ? 0 : angles[position * kQuarter + pair % kQuarter];
      const float* head = x.data() + t * 2 * kDim + c - in_head;
      const double a = head[pair], b = head[pair + 2 * kQuarter];
      const double expected = in_head == pair ? a * std::cos(angle) - b * std::sin(angle)
                                              : b * std::cos(angle) + a * std::sin(angle);
      EXPECT_NEAR(turned[t * 2 * kDim + c], expected, 1e-6) << t << ", " << c;
    }
  }
}

}  // namespace
}  // namespace vggt
