// SPDX-License-Identifier: Apache-2.0
#include "ops/swiglu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/tensor.h"

namespace vggt {
namespace {

double GatedTwin(double a, double b) { return a / (1 + std::exp(-a)) * b; }

TEST(SwiGlu, EqualsItsFormula) {
  constexpr int64_t kRows = 19, kWidth = 37;
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> x(kRows * 2 * kWidth), y(kRows * kWidth);
  for (float& value : x) value = BF16ToF32(F32ToBF16(normal(generator)));
  std::vector<uint16_t> x16(x.size()), y16(y.size());
  for (size_t i = 0; i < x.size(); ++i) x16[i] = F32ToBF16(x[i]);
  SwiGlu(kRows, kWidth, x.data(), y.data());
  SwiGlu(kRows, kWidth, x16.data(), y16.data());
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < kWidth; ++c) {
      const double expected = GatedTwin(x[r * 2 * kWidth + c], x[r * 2 * kWidth + kWidth + c]);
      EXPECT_NEAR(y[r * kWidth + c], expected, 1e-6 * (1 + std::abs(expected)));
      EXPECT_NEAR(BF16ToF32(y16[r * kWidth + c]), expected, std::abs(expected) * 0x1p-8 + 1e-30);
    }
  }
}

TEST(SwiGlu, LargeValuesDoNotOverflow) {
  const std::vector<float> x = {-1000, 1000, 2, 3};
  std::vector<float> y(2);
  SwiGlu(1, 2, x.data(), y.data());
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 3000);
}

}  // namespace
}  // namespace vggt
