// SPDX-License-Identifier: Apache-2.0
#include "ops/half_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

std::vector<float> RandomValues(size_t count, float size, uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> value(-size, size);
  std::vector<float> out(count);
  for (float& x : out) x = value(engine);
  return out;
}

std::vector<uint16_t> AsHalf(const std::vector<float>& values) {
  std::vector<uint16_t> out;
  for (const float x : values) out.push_back(F32ToF16(x));
  return out;
}

constexpr int64_t kCounts[] = {0, 1, 7, 37};

TEST(HalfRowsTest, DotHalvesEqualsItsFormula) {
  struct Halves {
    int64_t first, second;
  };
  for (const Halves& halves :
       {Halves{32, 32}, {8, 8}, {16, 16}, {4, 4}, {5, 6}, {64, 64}, {1, 0}, {17, 23}}) {
    const int64_t first = halves.first, second = halves.second;
    for (const int64_t count : kCounts) {
      for (const int64_t stride : {int64_t{0}, second}) {
        SCOPED_TRACE(testing::Message() << first << "+" << second << ", " << count << " keys");
        const int64_t dim = first + second;
        const std::vector<float> a = RandomValues(first, 3, 1),
                                 b = RandomValues((count + 1) * second, 3, 2);
        const std::vector<uint16_t> keys = AsHalf(RandomValues(count * dim, 3, 3));
        std::vector<double> expected(count, 0.0);
        for (int64_t i = 0; i < count; ++i) {
          for (int64_t c = 0; c < dim; ++c) {
            const double x = c < first ? a[c] : b[i * stride + c - first];
            expected[i] += x * F16ToF32(keys[i * dim + c]);
          }
        }
        ForEachTarget([&] {
          std::vector<float> out(count + 1, 99.0F);
          DotHalves(a.data(), first, b.data(), second, stride, keys.data(), count, out.data());
          // float32 rounds sums of up to 128 products of up to 9
          for (int64_t i = 0; i < count; ++i) ASSERT_NEAR(out[i], expected[i], 1e-4) << i;
          EXPECT_EQ(out[count], 99.0F);
        });
      }
    }
  }
}

// All float16 there are, and a count that no vector divides.
TEST(HalfRowsTest, FromHalvesIsExact) {
  std::vector<uint16_t> all(65536 - 3);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i + 3);
  ForEachTarget([&] {
    std::vector<float> out(all.size());
    FromHalves(all.data(), static_cast<int64_t>(all.size()), out.data());
    for (size_t i = 0; i < all.size(); ++i) {
      const float expected = F16ToF32(all[i]);
      ASSERT_TRUE(out[i] == expected || (std::isnan(out[i]) && std::isnan(expected))) << all[i];
    }
  });
}

TEST(HalfRowsTest, SquaredNormsEqualTheirFormula) {
  for (const int64_t dim : {1, 8, 16, 20, 64, 128}) {
    for (const int64_t count : kCounts) {
      const std::vector<uint16_t> keys = AsHalf(RandomValues(count * dim, 3, 4));
      ForEachTarget([&] {
        std::vector<float> out(count);
        SquaredNorms(keys.data(), count, dim, out.data());
        for (int64_t i = 0; i < count; ++i) {
          double expected = 0;
          for (int64_t c = 0; c < dim; ++c) expected += std::pow(F16ToF32(keys[i * dim + c]), 2);
          ASSERT_NEAR(out[i], expected, 2e-6 * expected) << dim << " channels, " << i;
        }
      });
    }
  }
}

TEST(HalfRowsTest, ExponentialsAndTheirSums) {
  for (const int64_t count : {1, 15, 16, 33, 5000}) {
    const std::vector<float> x = RandomValues(count, 40, 5), shifts = RandomValues(count, 40, 6);
    ForEachTarget([&] {
      const float max = LargestOf(x.data(), count, -1e30F);
      EXPECT_EQ(max, *std::max_element(x.begin(), x.end()));
      EXPECT_EQ(LargestOf(x.data(), count, 50), 50);
      std::vector<float> y = x, z = x;
      const double sum = Exponentiate(y.data(), count, max);
      ExponentiateEach(z.data(), shifts.data(), count);
      double expected_sum = 0;
      for (int64_t i = 0; i < count; ++i) {
        const double expected = std::exp(static_cast<double>(x[i]) - max);
        const double each = std::exp(static_cast<double>(x[i]) - shifts[i]);
        expected_sum += expected;
        // The polynomial is off by 2e-7, an exponent of up to 120 by half a unit of its last bit.
        ASSERT_NEAR(y[i], expected, 8e-6 * expected);
        ASSERT_NEAR(z[i], each, 8e-6 * each);
      }
      EXPECT_NEAR(sum, expected_sum, 2e-6 * expected_sum);
    });
  }
}

TEST(HalfRowsTest, FarBelowTheShiftIsNearlyZero) {
  ForEachTarget([] {
    std::vector<float> x = {-1e30F, -500, 0};
    const std::vector<float> none = {INFINITY, 0, 0};
    EXPECT_NEAR(Exponentiate(x.data(), 3, 0), 1, 1e-6);
    EXPECT_LT(x[0], 1e-37F);
    x = {3, -1e30F, 0};
    ExponentiateEach(x.data(), none.data(), 3);
    EXPECT_LT(x[0], 1e-37F);
    EXPECT_LT(x[1], 1e-37F);
  });
}

TEST(HalfRowsTest, OneValueThatIsNotFiniteIsSeen) {
  for (const int64_t count : {1, 16, 21}) {
    ForEachTarget([&] {
      std::vector<float> x = RandomValues(count, 1e30F, 9);
      EXPECT_TRUE(RowIsFinite(x.data(), count));
      for (const float bad : {NAN, INFINITY, -INFINITY}) {
        for (const int64_t i : {int64_t{0}, count - 1}) {
          const float good = std::exchange(x[i], bad);
          EXPECT_FALSE(RowIsFinite(x.data(), count)) << bad << " at " << i;
          x[i] = good;
        }
      }
    });
  }
}

TEST(HalfRowsTest, SumsAndMaxima) {
  for (const int64_t count : {0, 1, 16, 21}) {
    const std::vector<float> x = RandomValues(count, 1, 7), start = RandomValues(count, 1, 8);
    ForEachTarget([&] {
      std::vector<float> sum = start, larger = start;
      AddScaled(x.data(), count, 0.25F, sum.data());
      TakeLarger(x.data(), count, larger.data());
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_NEAR(sum[i], start[i] + 0.25 * x[i], 1e-7);
        ASSERT_EQ(larger[i], std::max(start[i], x[i]));
      }
    });
  }
}

}  // namespace
}  // namespace vggt
