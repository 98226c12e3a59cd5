// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/linear.h"

#include <gmock/gmock.h>

#include <random>
#include <thread>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/reference.h"
#include "testing.h"

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
constexpr float kLinearTolerance = 5e-5F;

TEST_P(LinearTest, EqualsItsSlowTwin) {
  const auto [rows, in, out] = GetParam();
  const auto x = Random(rows * in, 1), weight = Random(out * in, 2), bias = Random(out, 3);
  const auto before = Random(rows * out, 4);
  std::vector<float> expected(rows * out);
  reference::Linear(rows, in, out, x.data(), weight.data(), bias.data(), expected.data());

  CompiledProducts products;
  for (const auto epilogue :
       {LinearEpilogue::kNone, LinearEpilogue::kGelu, LinearEpilogue::kAddToOutput}) {
    const Linear linear(in, out, weight.data(), bias.data(), epilogue);
    EXPECT_EQ(linear.in(), in);
    EXPECT_EQ(linear.out(), out);
    std::vector<float> y = before;
    linear.Run(rows, x.data(), y.data(), products);
    for (size_t i = 0; i < y.size(); ++i) {
      const double e = epilogue == LinearEpilogue::kNone   ? expected[i]
                       : epilogue == LinearEpilogue::kGelu ? reference::Gelu(expected[i])
                                                           : expected[i] + before[i];
      ASSERT_NEAR(y[i], e, kLinearTolerance) << "value " << i << ", epilogue " << int(epilogue);
    }
  }
}

std::vector<uint16_t> ToBf16(const std::vector<float>& values) {
  std::vector<uint16_t> bits;
  for (const float v : values) bits.push_back(F32ToBF16(v));
  return bits;
}

std::vector<float> ToF32(const std::vector<uint16_t>& bits) {
  std::vector<float> values;
  for (const uint16_t b : bits) values.push_back(BF16ToF32(b));
  return values;
}

// Products of bfloat16 values are exact in float32, so only what is stored as bfloat16 is rounded
// more than in float32: by at most half of 2^-7 of itself.
constexpr float kBf16Rounding = 0x1p-8F;

TEST_P(LinearTest, Bf16EqualsItsSlowTwin) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  const auto [rows, in, out] = GetParam();
  const auto x = ToBf16(Random(rows * in, 1)), weight = ToBf16(Random(out * in, 2));
  const auto bias = Random(out, 3), before = Random(rows * out, 4);
  std::vector<float> expected(rows * out);
  reference::Linear(rows, in, out, ToF32(x).data(), ToF32(weight).data(), bias.data(),
                    expected.data());

  CompiledProducts products;
  for (const auto epilogue : {LinearEpilogue::kNone, LinearEpilogue::kAddToOutput}) {
    const Linear linear(in, out, weight.data(), bias.data(), epilogue);
    EXPECT_EQ(linear.precision(), Precision::kBf16);
    std::vector<float> y = before;
    linear.Run(rows, x.data(), y.data(), products);
    for (size_t i = 0; i < y.size(); ++i) {
      const float e = epilogue == LinearEpilogue::kNone ? expected[i] : expected[i] + before[i];
      ASSERT_NEAR(y[i], e, kLinearTolerance) << "value " << i << ", epilogue " << int(epilogue);
    }
  }
  for (const auto epilogue : {LinearEpilogue::kNone, LinearEpilogue::kGelu}) {
    const Linear linear(in, out, weight.data(), bias.data(), epilogue);
    std::vector<uint16_t> y(rows * out);
    linear.Run(rows, x.data(), y.data(), products);
    for (size_t i = 0; i < y.size(); ++i) {
      const double e =
          epilogue == LinearEpilogue::kNone ? expected[i] : reference::Gelu(expected[i]);
      ASSERT_NEAR(BF16ToF32(y[i]), e, kBf16Rounding * std::abs(e) + kLinearTolerance)
          << "value " << i << ", epilogue " << int(epilogue);
    }
  }
}

TEST_P(LinearTest, SameBitsOnAnyNumberOfThreads) {
  const auto [rows, in, out] = GetParam();
  const auto x = Random(rows * in, 1), weight = Random(out * in, 2), bias = Random(out, 3);
  const auto x16 = ToBf16(x), weight16 = ToBf16(weight);
  const int before = ThreadCount();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    CompiledProducts products;
    std::vector<float> y(2 * rows * out);
    Linear(in, out, weight.data(), bias.data()).Run(rows, x.data(), y.data(), products);
    if (MultipliesBf16()) {
      Linear(in, out, weight16.data(), bias.data()).Run(rows, x16.data(), &y[rows * out], products);
    }
    EXPECT_EQ(ThreadCount(), threads);
    results.push_back(std::move(y));
  }
  SetThreadCount(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Linear, InputsOfTheOtherTypeAreRefused) {
  const std::vector<float> ones(16, 1);
  const Linear linear(4, 4, ones.data(), ones.data());
  EXPECT_EQ(linear.precision(), Precision::kF32);
  const std::vector<uint16_t> x(16);
  std::vector<float> y(16);
  CompiledProducts products;
  EXPECT_THAT(testing::ErrorOf([&] { linear.Run(4, x.data(), y.data(), products); }),
              ::testing::HasSubstr("not of its weights' type"));
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest,
                         ::testing::Values(std::tuple{1, 1, 1}, std::tuple{3, 16, 48},
                                           std::tuple{17, 588, 64}, std::tuple{65, 64, 192},
                                           std::tuple{930, 64, 31}, std::tuple{2, 256, 100},
                                           std::tuple{1000, 64, 1100}));

TEST(Linear, ManyRowCountsThroughOnePackedWeight) {
  const auto weight = Random(32 * 32, 5), bias = Random(32, 6);
  const Linear linear(32, 32, weight.data(), bias.data());
  CompiledProducts products;
  linear.Run(0, weight.data(), static_cast<float*>(nullptr), products);
  for (const int rows : {1, 2, 31, 64, 500, 1}) {
    const auto x = Random(rows * 32, 7);
    std::vector<float> y(rows * 32), expected(rows * 32);
    linear.Run(rows, x.data(), y.data(), products);
    reference::Linear(rows, 32, 32, x.data(), weight.data(), bias.data(), expected.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], kLinearTolerance) << rows;
  }
}

TEST(Linear, LayersOfEqualExtentsShareProducts) {
  const auto x = Random(40 * 24, 1), bias = Random(24, 2);
  const auto first = Random(24 * 24, 3), second = Random(24 * 24, 4);
  CompiledProducts products;
  for (const auto* weight : {&first, &second}) {
    const Linear linear(24, 24, weight->data(), bias.data());
    std::vector<float> y(40 * 24), expected(40 * 24);
    linear.Run(40, x.data(), y.data(), products);
    reference::Linear(40, 24, 24, x.data(), weight->data(), bias.data(), expected.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], kLinearTolerance) << i;
  }
}

TEST(Linear, SeveralThreadsMayRunOneLayer) {
  const auto weight = Random(96 * 64, 1), bias = Random(96, 2), x = Random(600 * 64, 3);
  const Linear linear(64, 96, weight.data(), bias.data());
  const auto run = [&](int64_t rows) {
    CompiledProducts products;
    std::vector<float> y(rows * 96);
    linear.Run(rows, x.data(), y.data(), products);
    return y;
  };
  // Each thread has numbers of rows that the others have not, so that all make products.
  std::vector<std::vector<float>> alone, together(12);
  for (int64_t i = 0; i < 12; ++i) alone.push_back(run(50 * (i + 1)));
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = t; i < 12; i += 3) together[i] = run(50 * (i + 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

}  // namespace
}  // namespace vggt
