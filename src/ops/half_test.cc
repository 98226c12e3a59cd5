// SPDX-License-Identifier: Apache-2.0
#include "ops/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/tensor.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

// Every float16, every midpoint between two neighbouring ones, and the float32 numbers next to each
// midpoint: rounding changes there.
std::vector<float> EdgeValues() {
  std::vector<float> values;
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const float half = F16ToF32(static_cast<uint16_t>(bits));
    const float middle = (half + F16ToF32(static_cast<uint16_t>(bits + 1))) / 2;
    const auto magnitude = std::bit_cast<uint32_t>(middle);
    for (const float value :
         {half, middle, std::bit_cast<float>(magnitude - 1), std::bit_cast<float>(magnitude + 1)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  return values;
}

TEST(Half, EveryRoundingEqualsTheScalarOne) {
  const std::vector<float> x = EdgeValues();
  // Heads of 23 values are a multiple of no vector.
  const int64_t dim = 23, tokens = static_cast<int64_t>(x.size()) / dim;
  ForEachTarget([&] {
    std::vector<uint16_t> out(tokens * dim);
    ASSERT_TRUE(HeadsToF16(tokens, 1, dim, dim, x.data(), out.data()));
    for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], F32ToF16(x[i])) << x[i];
  });
}

TEST(Half, SortsByHeads) {
  // Three tokens of two heads of four channels, with a gap of two values between tokens.
  constexpr int64_t kTokens = 3, kHeads = 2, kDim = 4, kStride = 10;
  std::vector<float> x(kTokens * kStride);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  std::vector<uint16_t> out(kHeads * kTokens * kDim);
  ASSERT_TRUE(HeadsToF16(kTokens, kHeads, kDim, kStride, x.data(), out.data()));
  for (int64_t h = 0; h < kHeads; ++h) {
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t c = 0; c < kDim; ++c) {
        EXPECT_EQ(F16ToF32(out[(h * kTokens + t) * kDim + c]), x[t * kStride + h * kDim + c]);
      }
    }
  }
}

TEST(Half, SaysWhatDoesNotFit) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ForEachTarget([&] {
    // Inside a vector, and among the values after the last whole vector.
    for (const size_t place : {size_t{0}, size_t{21}, size_t{66}}) {
      std::vector<float> x(67, -1);
      std::vector<uint16_t> out(67);
      x[place] = std::nextafter(65520.0F, 0.0F);
      EXPECT_TRUE(HeadsToF16(1, 1, 67, 67, x.data(), out.data()));
      EXPECT_EQ(F16ToF32(out[place]), 65504);
      for (const float value :
           {65520.0F, -65520.0F, kInfinity, -kInfinity, std::nanf(""), -std::nanf("")}) {
        x[place] = value;
        EXPECT_FALSE(HeadsToF16(1, 1, 67, 67, x.data(), out.data())) << value;
      }
    }
  });
}

}  // namespace
}  // namespace vggt
