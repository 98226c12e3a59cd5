// SPDX-License-Identifier: Apache-2.0
#include "ops/quantize.h"

#include <gmock/gmock.h>

#include <vector>

namespace vggt {
namespace {

std::vector<uint8_t> Levels(const std::vector<float>& x, double vmax) {
  std::vector<uint8_t> out(x.size());
  Quantize(x.data(), static_cast<int64_t>(x.size()), vmax, out.data());
  return out;
}

TEST(Quantize, RoundsHalfUpAndClips) {
  EXPECT_THAT(Levels({0, 1, 2, -1, 0.5F, 100 / 255.0F, 100.49F / 255, 100.51F / 255}, 1),
              ::testing::ElementsAre(0, 255, 255, 0, 128, 100, 100, 101));
}

TEST(Quantize, AllZerosStayZero) { EXPECT_THAT(Levels({0, 0}, 0), ::testing::ElementsAre(0, 0)); }

// Levels that NumPy 1.24 computed for x = i² / 40000 (float32) and vmax = 0.0123456789.
TEST(Quantize, EqualsNumPy) {
  std::vector<float> x;
  for (int i = 0; i < 24; ++i) x.push_back(static_cast<float>(i * i) / 40000.0F);
  EXPECT_THAT(Levels(x, 0.0123456789),
              ::testing::ElementsAre(0, 1, 2, 5, 8, 13, 19, 25, 33, 42, 52, 62, 74, 87, 101, 116,
                                     132, 149, 167, 186, 207, 228, 250, 255));
}

}  // namespace
}  // namespace vggt
