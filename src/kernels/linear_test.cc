// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/reference.h"

namespace vggt {
namespace {

std::vector<float> Random(size_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(size);
  for (float& v : values) v = uniform(generator);
  return values;
}

class LinearTest : public ::testing::TestWithParam<std::tuple<int, int, int>> {};

// Sums of up to 588 products of values in [-1, 1] in float32: values of up to 30.
constexpr float kTolerance = 5e-5F;

TEST_P(LinearTest, EqualsItsSlowTwin) {
  const auto [rows, in, out] = GetParam();
  const auto x = Random(rows * in, 1), weight = Random(out * in, 2), bias = Random(out, 3);
  const auto before = Random(rows * out, 4);
  std::vector<float> expected(rows * out);
  reference::Linear(rows, in, out, x.data(), weight.data(), bias.data(), expected.data());

  for (const auto epilogue :
       {LinearEpilogue::kNone, LinearEpilogue::kGelu, LinearEpilogue::kAddToOutput}) {
    const Linear linear(in, out, weight.data(), bias.data(), epilogue);
    EXPECT_EQ(linear.in(), in);
    EXPECT_EQ(linear.out(), out);
    std::vector<float> y = before;
    linear.Run(rows, x.data(), y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      const double e = epilogue == LinearEpilogue::kNone   ? expected[i]
                       : epilogue == LinearEpilogue::kGelu ? reference::Gelu(expected[i])
                                                           : expected[i] + before[i];
      ASSERT_NEAR(y[i], e, kTolerance) << "value " << i << ", epilogue " << int(epilogue);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest,
                         ::testing::Values(std::tuple{1, 1, 1}, std::tuple{3, 16, 48},
                                           std::tuple{17, 588, 64}, std::tuple{65, 64, 192},
                                           std::tuple{930, 64, 31}, std::tuple{2, 256, 100}));

TEST(Linear, ManyRowCountsThroughOnePackedWeight) {
  const auto weight = Random(32 * 32, 5), bias = Random(32, 6);
  const Linear linear(32, 32, weight.data(), bias.data());
  linear.Run(0, nullptr, nullptr);
  for (const int rows : {1, 2, 31, 64, 500, 1}) {
    const auto x = Random(rows * 32, 7);
    std::vector<float> y(rows * 32), expected(rows * 32);
    linear.Run(rows, x.data(), y.data());
    reference::Linear(rows, 32, 32, x.data(), weight.data(), bias.data(), expected.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], kTolerance) << rows;
  }
}

}  // namespace
}  // namespace vggt
