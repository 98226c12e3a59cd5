// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/convolution.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "convolution_twins.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "testing.h"

namespace vggt {
namespace {

std::vector<float> RandomValues(int64_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(size);
  for (float& v : values) v = uniform(generator);
  return values;
}

std::vector<float> RoundedToBf16(std::vector<float> values) {
  for (float& v : values) v = BF16ToF32(F32ToBF16(v));
  return values;
}

// Sums of up to 9 · 70 products of values in [-1, 1] in float32.
constexpr float kTolerance = 5e-5F;

const ConvolutionExtents kSizes[] = {{1, 1, 3, 5},        {1, 7, 16, 16},    {5, 1, 1, 2},
                                     {13, 19, 70, 33},    {3, 5, 20, 20, 2}, {4, 6, 20, 17, 2},
                                     {25, 37, 32, 48, 2}, {2, 2, 64, 16, 2}};

void ExpectEqualsTwin(const ConvolutionExtents& e, Precision precision) {
  auto x = RandomValues(e.rows * e.cols * e.in, 1), weight = RandomValues(e.out * e.in * 9, 2);
  const auto bias = RandomValues(e.out, 3);
  const auto before = RandomValues(e.rows_out() * e.cols_out() * e.out, 4);
  if (precision == Precision::kBf16) {
    x = RoundedToBf16(x);
    weight = RoundedToBf16(weight);
  }
  for (const bool with_bias : {true, false}) {
    const float* b = with_bias ? bias.data() : nullptr;
    const auto expected = testing::ConvolutionTwin(e.rows, e.cols, e.in, e.out, 3, e.stride,
                                                   x.data(), weight.data(), b);
    for (const auto epilogue : {ConvolutionEpilogue::kNone, ConvolutionEpilogue::kRelu,
                                ConvolutionEpilogue::kAddToOutput}) {
      const Convolution convolution(e, weight.data(), b, epilogue, RowsBeyond::kZeros, precision);
      std::vector<float> y = before;
      convolution.Run(x.data(), y.data());
      ASSERT_EQ(y.size(), expected.size());
      for (size_t i = 0; i < y.size(); ++i) {
        const double wanted = epilogue == ConvolutionEpilogue::kNone   ? expected[i]
                              : epilogue == ConvolutionEpilogue::kRelu ? std::max(expected[i], 0.0)
                                                                       : expected[i] + before[i];
        ASSERT_NEAR(y[i], wanted, kTolerance)
            << e.rows << "x" << e.cols << " value " << i << ", epilogue " << int(epilogue);
      }
    }
  }
}

TEST(Convolution, EqualsItsSlowTwin) {
  for (const ConvolutionExtents& e : kSizes) ExpectEqualsTwin(e, Precision::kF32);
}

// Products of bfloat16 values are exact in float32.
TEST(Convolution, Bf16EqualsItsSlowTwin) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  for (const ConvolutionExtents& e : kSizes) ExpectEqualsTwin(e, Precision::kBf16);
}

TEST(Convolution, Bf16IsRefusedWhereItIsNotMultiplied) {
  const std::vector<float> weight(9);
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // oneDNN reads its environment once
  EXPECT_EXIT(
      {
        setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
        const std::string error = testing::ErrorOf([&] {
          Convolution({1, 1, 1, 1}, weight.data(), nullptr, ConvolutionEpilogue::kNone,
                      RowsBeyond::kZeros, Precision::kBf16);
        });
        std::fputs(error.c_str(), stderr);
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), "this processor does not multiply bfloat16");
}

TEST(Convolution, AStripSeesTheRowsThatAreGivenBeyondIt) {
  constexpr int64_t kRows = 11, kCols = 7, kIn = 20, kOut = 9, kStrip = 4;
  const auto x = RandomValues(kRows * kCols * kIn, 1), weight = RandomValues(kOut * kIn * 9, 2);
  const auto whole =
      testing::ConvolutionTwin(kRows, kCols, kIn, kOut, 3, 1, x.data(), weight.data(), nullptr);
  const Convolution strip({kStrip, kCols, kIn, kOut}, weight.data(), nullptr,
                          ConvolutionEpilogue::kNone, RowsBeyond::kGiven, Precision::kF32);
  std::vector<float> y(kStrip * kCols * kOut);
  for (const int64_t first : {1, 3, 6}) {
    strip.Run(x.data() + (first - 1) * kCols * kIn, y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], whole[first * kCols * kOut + i], kTolerance) << first << ", " << i;
    }
  }
}

TEST(Convolution, GivesTheSameBitsOnAnyNumberOfThreads) {
  const ConvolutionExtents e{37, 25, 64, 48};
  const auto x = RandomValues(e.rows * e.cols * e.in, 1),
             weight = RandomValues(e.out * e.in * 9, 2);
  std::vector<float> first;
  const int threads_before = ThreadCount();
  for (const int threads : {1, 2, 3, 8}) {
    SetThreadCount(threads);
    const Convolution convolution(e, weight.data(), nullptr, ConvolutionEpilogue::kRelu,
                                  RowsBeyond::kZeros, Precision::kF32);
    std::vector<float> y(e.rows_out() * e.cols_out() * e.out);
    convolution.Run(x.data(), y.data());
    if (first.empty()) first = y;
    EXPECT_EQ(y, first) << threads << " threads";
  }
  SetThreadCount(threads_before);
}

}  // namespace
}  // namespace vggt
