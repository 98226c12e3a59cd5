// SPDX-License-Identifier: Apache-2.0
#include "ops/rowwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/tensor.h"
#include "ops/reference.h"

namespace vggt {
namespace {

std::vector<float> Normal(size_t size, float mean, float deviation) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values(size);
  for (float& v : values) v = normal(generator);
  return values;
}

constexpr float kTolerance = 1e-5F;

TEST(Rowwise, LayerNormEqualsItsSlowTwin) {
  for (const int64_t cols : {1, 7, 64, 128, 1023, 1024}) {
    for (const int64_t rows : {1, 3, 100}) {
      // The mean is far from zero: a variance taken in one pass would lose its digits.
      const auto x = Normal(rows * cols, 30, 2), w = Normal(cols, 1, 0.3F), b = Normal(cols, 0, 1);
      std::vector<float> y(x.size()), expected(x.size());
      LayerNorm(rows, cols, x.data(), w.data(), b.data(), 1e-6F, y.data());
      reference::LayerNorm(rows, cols, x.data(), w.data(), b.data(), 1e-6, expected.data());
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], 3e-5F);
    }
  }
}

TEST(Rowwise, EpsilonMattersForFlatRows) {
  const std::vector<float> x = {1e-3F, -1e-3F}, w = {1, 1}, b = {0, 0};
  std::vector<float> y(2);
  LayerNorm(1, 2, x.data(), w.data(), b.data(), 1e-6F, y.data());
  EXPECT_NEAR(y[0], 0.70711F, kTolerance);
  LayerNorm(1, 2, x.data(), w.data(), b.data(), 1e-5F, y.data());
  EXPECT_NEAR(y[0], 0.30151F, kTolerance);
}

TEST(Rowwise, LayerNormHeadsNormalisesEachHeadAndNothingElse) {
  constexpr int64_t kTokens = 40, kHeads = 3, kDim = 16, kStride = kHeads * kDim + 5;
  const auto x = Normal(kTokens * kStride, 0, 1), w = Normal(kDim, 1, 1), b = Normal(kDim, 0, 1);
  auto y = x;
  LayerNormHeads(kTokens, kHeads, kDim, kStride, y.data(), w.data(), b.data(), 1e-5F);
  for (int64_t t = 0; t < kTokens; ++t) {
    std::vector<float> expected(kHeads * kDim);
    reference::LayerNorm(kHeads, kDim, &x[t * kStride], w.data(), b.data(), 1e-5, expected.data());
    for (int64_t i = 0; i < kHeads * kDim; ++i) {
      ASSERT_NEAR(y[t * kStride + i], expected[i], kTolerance);
    }
    for (int64_t i = kHeads * kDim; i < kStride; ++i) {
      ASSERT_EQ(y[t * kStride + i], x[t * kStride + i]);
    }
  }
}

TEST(Rowwise, LayerNormToBf16IsTheFloat32OneRounded) {
  for (const int64_t cols : {1, 7, 64, 1023, 1024}) {
    const int64_t rows = 70;
    const auto x = Normal(rows * cols, 3, 2), w = Normal(cols, 1, 0.3F), b = Normal(cols, 0, 1);
    std::vector<float> expected(x.size());
    std::vector<uint16_t> y(x.size());
    LayerNorm(rows, cols, x.data(), w.data(), b.data(), 1e-6F, expected.data());
    LayerNorm(rows, cols, x.data(), w.data(), b.data(), 1e-6F, y.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], F32ToBF16(expected[i])) << cols;
  }
}

TEST(Rowwise, ScaleFinite) {
  for (const int64_t count : {0, 1, 15, 16, 17, 1000}) {
    auto x = Normal(count, 0, 1);
    std::vector<float> y(count);
    std::vector<uint16_t> y16(count);
    EXPECT_TRUE(ScaleFinite(x.data(), count, 0.3F, y.data()));
    EXPECT_TRUE(ScaleFinite(x.data(), count, 0.3F, y16.data()));
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(y[i], x[i] * 0.3F);
      ASSERT_EQ(y16[i], F32ToBF16(x[i] * 0.3F));
    }
    if (count == 0) continue;
    for (const int64_t at : {int64_t{0}, count / 2, count - 1}) {
      for (const float bad :
           {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        auto spoilt = x;
        spoilt[at] = bad;
        EXPECT_FALSE(ScaleFinite(spoilt.data(), count, 0.3F, y.data())) << count;
        EXPECT_FALSE(ScaleFinite(spoilt.data(), count, 0.3F, y16.data())) << count;
      }
    }
  }
}

TEST(Rowwise, Bf16TiesGoToEven) {
  const float cases[] = {0x1.01p0F, 0x1.03p0F, 0x1.0102p0F, -0x1.01p0F, 3.0e38F};
  for (const float x : cases) {
    const std::vector<float> many(40, x);
    std::vector<uint16_t> y(many.size());
    EXPECT_TRUE(ScaleFinite(many.data(), 40, 1, y.data()));
    for (const uint16_t bits : y) ASSERT_EQ(bits, F32ToBF16(x)) << x;
  }
}

TEST(Rowwise, AllBelow) {
  constexpr int64_t kRows = 3;
  for (const int64_t cols : {1, 15, 16, 63, 64, 65, 200}) {
    const int64_t stride = cols + 5;
    std::vector<float> x = Normal(kRows * stride, 0, 1);
    for (int64_t i = cols; i < std::ssize(x); ++i) {
      if (i % stride >= cols) x[i] = std::numeric_limits<float>::quiet_NaN();  // between rows
    }
    EXPECT_TRUE(AllBelow(kRows, cols, stride, x.data(), 100)) << cols;
    EXPECT_TRUE(AllBelow(0, cols, stride, x.data(), 100)) << cols;
    for (const float bad :
         {100.0F, -100.0F, std::numeric_limits<float>::infinity(),
          std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
      for (int64_t row = 0; row < kRows; ++row) {
        for (int64_t col = 0; col < cols; ++col) {
          auto spoilt = x;
          spoilt[row * stride + col] = bad;
          ASSERT_FALSE(AllBelow(kRows, cols, stride, spoilt.data(), 100)) << cols << ' ' << col;
        }
      }
    }
  }
}

TEST(Rowwise, AllFinite) {
  constexpr int64_t kCount = 200'001;  // several threads' shares
  std::vector<float> x = Normal(kCount, 0, 1);
  EXPECT_TRUE(AllFinite(x.data(), kCount));
  EXPECT_TRUE(AllFinite(x.data(), 0));
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    for (const int64_t at : {int64_t{0}, kCount / 2, kCount - 1}) {
      auto y = x;
      y[at] = bad;
      EXPECT_FALSE(AllFinite(y.data(), kCount));
    }
  }
}

}  // namespace
}  // namespace vggt
