// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/bilinear.h"

#include <gtest/gtest.h>

#include <vector>

#include "convolution_twins.h"

namespace vggt {
namespace {

std::vector<float> Ramp(int64_t size) {
  std::vector<float> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(i * 7 % 31) / 31 - 0.5F);
  return values;
}

TEST(Bilinear, EqualsItsSlowTwin) {
  const std::pair<MapSize, MapSize> sizes[] = {
      {{2, 3}, {3, 5}}, {{13, 19}, {25, 37}}, {{1, 1}, {4, 4}}, {{1, 5}, {2, 10}},
      {{3, 1}, {7, 3}}, {{4, 4}, {1, 1}},     {{5, 6}, {5, 6}}, {{24, 40}, {42, 70}}};
  constexpr int64_t kChannels = 3;
  for (const auto& [from, to] : sizes) {
    const auto x = Ramp(from.pixels() * kChannels);
    const auto expected =
        testing::BilinearTwin(from.rows, from.cols, kChannels, x.data(), to.rows, to.cols);
    std::vector<float> y(to.pixels() * kChannels);
    ResizeRows(from, to, kChannels, x.data(), 0, to.rows, y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], expected[i], 1e-6) << from.rows << " to " << to.rows << ", " << i;
    }
  }
}

TEST(Bilinear, AStripIsAPartOfTheWholeAndZerosBeyondIt) {
  const MapSize from{5, 4}, to{9, 11};
  const auto x = Ramp(from.pixels() * 2);
  std::vector<float> whole(to.pixels() * 2);
  ResizeRows(from, to, 2, x.data(), 0, to.rows, whole.data());
  const int64_t row = to.cols * 2;
  std::vector<float> strip((to.rows + 3) * row, 9);
  ResizeRows(from, to, 2, x.data(), -1, to.rows + 3, strip.data());
  for (int64_t i = 0; i < std::ssize(strip); ++i) {
    const bool inside = i >= row && i < row + std::ssize(whole);
    ASSERT_EQ(strip[i], inside ? whole[i - row] : 0) << i;
  }
}

}  // namespace
}  // namespace vggt
