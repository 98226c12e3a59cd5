// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/sine_positions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace vggt {
namespace {

// A grid of 2 × 4 cells over a picture of 4 : 3; its half diagonal is 5/3 of its half height.
TEST(SinePositions, AreATenthOfSinesAndCosinesOfTheCellsCentres) {
  const SinePositions positions({2, 4}, 8, 4.0 / 3);
  std::vector<float> map(2 * 4 * 8, 1);
  positions.AddTo(0, 2, map.data());
  for (int row = 0; row < 2; ++row) {
    for (int col = 0; col < 4; ++col) {
      const double x = 0.8 * (-0.75 + 0.5 * col), y = 0.6 * (-0.5 + row);
      const double expected[] = {std::sin(x), std::sin(x / 10), std::cos(x), std::cos(x / 10),
                                 std::sin(y), std::sin(y / 10), std::cos(y), std::cos(y / 10)};
      for (int c = 0; c < 8; ++c) {
        EXPECT_NEAR(map[(row * 4 + col) * 8 + c], 1 + 0.1 * expected[c], 1e-6)
            << row << ' ' << col << ' ' << c;
      }
    }
  }
}

TEST(SinePositions, ASingleCellStandsInTheMiddle) {
  const SinePositions positions({1, 1}, 4, 1);
  std::vector<float> map(4);
  positions.AddTo(0, 1, map.data());
  EXPECT_EQ(map, (std::vector<float>{0, 0.1F, 0, 0.1F}));
}

TEST(SinePositions, RowsOutsideOfTheGridStayAsTheyAre) {
  const SinePositions positions({3, 2}, 4, 1.5);
  std::vector<float> whole(3 * 2 * 4), strip(5 * 2 * 4);
  positions.AddTo(0, 3, whole.data());
  positions.AddTo(-1, 5, strip.data());
  for (size_t i = 0; i < strip.size(); ++i) {
    EXPECT_EQ(strip[i], i >= 8 && i < 32 ? whole[i - 8] : 0) << i;
  }
}

}  // namespace
}  // namespace vggt
