// SPDX-License-Identifier: Apache-2.0
#include "ops/row_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "ops/attention_testing.h"

namespace vggt {
namespace {

// One value, less than a vector, whole vectors, one more and one less, more than are added in
// float32.
constexpr int64_t kLengths[] = {1, 3, 9, 10, 11, 15, 16, 17, 64, 925, 2048, 2049, 5000};

std::vector<float> RandomRow(int64_t count, float spread, uint32_t seed = 5) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> x(static_cast<size_t>(count));
  for (float& value : x) value = normal(engine);
  return x;
}

// Floats are exact where the twin begins, so only the exponential and sums round.
TEST(ExponentiatePartTest, EqualsItsFormula) {
  for (const int64_t count : kLengths) {
    for (const float spread : {0.0F, 1.0F, 12.0F}) {
      const std::vector<float> x = RandomRow(count, spread);
      const double largest = *std::max_element(x.begin(), x.end());
      double sum = 0, squares = 0, weighted = 0;
      for (const float value : x) {
        const double e = std::exp(value - largest);
        sum += e;
        squares += e * e;
        weighted += e * (value - largest);
      }
      ForEachTarget([&] {
        SCOPED_TRACE(::testing::Message() << count << " of spread " << spread);
        std::vector<float> out(PaddedPart(count), -1);
        const PartSums got = ExponentiatePart(x.data(), count, out.data());
        ASSERT_EQ(got.largest, static_cast<float>(largest));
        ASSERT_NEAR(got.sum, sum, 3e-6 * sum);
        ASSERT_NEAR(got.squares, squares, 3e-6 * squares);
        ASSERT_NEAR(got.weighted, weighted, 5e-6 * std::abs(weighted));
        for (int64_t i = 0; i < count; ++i) {
          const double difference = largest - x[i], e = std::exp(-difference);
          ASSERT_NEAR(out[i], e, (3e-7 + 1e-7 * difference) * e + 3e-38) << i;
        }
        for (int64_t i = count; i < PaddedPart(count); ++i) ASSERT_EQ(out[i], 0) << i;
        std::vector<float> same = x;
        same.resize(PaddedPart(count));
        ExponentiatePart(same.data(), count, same.data());
        ASSERT_EQ(same, out);
      });
    }
  }
}

// All values are far below zero: what is behind the last one must not count as 0.
TEST(ExponentiatePartTest, FarFromZero) {
  for (const float at : {-1e4F, 1e4F}) {
    std::vector<float> x(19, at);
    x[18] = at - 200;
    ForEachTarget([&] {
      float out[32];
      const PartSums got = ExponentiatePart(x.data(), 19, out);
      EXPECT_EQ(got.largest, at);
      EXPECT_NEAR(got.sum, 18, 1e-5);
      EXPECT_NEAR(got.squares, 18, 1e-5);
      EXPECT_LT(out[18], 1e-37);
    });
  }
}

TEST(FirstPlaceOfTest, FindsTheFirst) {
  for (const int64_t count : kLengths) {
    std::vector<float> x(count, 1);
    ForEachTarget([&] {
      EXPECT_EQ(FirstPlaceOf(2, x.data(), count), count);
      EXPECT_EQ(FirstPlaceOf(1, x.data(), count), 0);
      for (const int64_t at : {count - 1, count / 2, int64_t{0}}) {
        x[at] = 2;
        EXPECT_EQ(FirstPlaceOf(2, x.data(), count), at);
      }
      x.assign(count, 1);
    });
  }
}

TEST(TopValuesTest, AreTheFirstOfAllSorted) {
  for (const int64_t count : kLengths) {
    // Random ones; few different ones; all alike; ascending; all largest in one sixteenth.
    std::vector<std::vector<float>> rows = {RandomRow(count, 1), RandomRow(count, 1),
                                            std::vector<float>(count, -3), RandomRow(count, 1),
                                            RandomRow(count, 1)};
    for (float& value : rows[1]) value = std::round(value);
    std::sort(rows[3].begin(), rows[3].end());
    for (int64_t i = 0; i < count; i += 16) rows[4][i] += 100;
    for (const std::vector<float>& x : rows) {
      std::vector<float> expected = x;
      std::sort(expected.begin(), expected.end(), std::greater<>());
      expected.resize(std::min(count, kTopValues));
      ForEachTarget([&] {
        std::vector<float> scratch(count + kPartPadding), got(kTopValues);
        got.resize(TopValues(x.data(), count, scratch.data(), got.data()));
        std::sort(got.begin(), got.end(), std::greater<>());
        ASSERT_EQ(got, expected) << count;
      });
    }
  }
}

TEST(SumOfDifferencesTest, EqualsItsFormula) {
  for (const int64_t count : {16, 32, 928, 2048, 2064, 5008}) {
    const std::vector<float> x = RandomRow(count, 1, 1), y = RandomRow(count, 1, 2);
    double expected = 0;
    for (int64_t i = 0; i < count; ++i) expected += std::abs(0.3 * x[i] - 0.7 * y[i]);
    ForEachTarget([&] {
      EXPECT_NEAR(SumOfDifferences(x.data(), 0.3F, y.data(), 0.7F, count), expected,
                  3e-6 * expected);
      EXPECT_EQ(SumOfDifferences(x.data(), 0.3F, x.data(), 0.3F, count), 0);
    });
  }
}

TEST(AddToTwoTest, EqualsItsFormula) {
  const std::vector<float> x = RandomRow(48, 1);
  ForEachTarget([&] {
    std::vector<float> first = RandomRow(48, 1, 8), second = RandomRow(48, 1, 9);
    const std::vector<float> before = first, other = second;
    AddToTwo(x.data(), 48, 0.5F, first.data(), -2, second.data());
    for (int64_t i = 0; i < 48; ++i) {
      ASSERT_NEAR(first[i], before[i] + 0.5 * x[i], 1e-6);
      ASSERT_NEAR(second[i], other[i] - 2.0 * x[i], 1e-6);
    }
  });
}

TEST(SumOfTest, AndAddToAreDoubleSums) {
  std::mt19937 engine(6);
  std::normal_distribution<float> normal;
  for (const size_t count : {0U, 1U, 7U, 8U, 16U, 33U, 1000U}) {
    std::vector<float> x(count);
    double expected = 0, magnitude = 0;
    for (float& value : x) {
      value = normal(engine);
      expected += value;
      magnitude += std::abs(value);
    }
    EXPECT_NEAR(SumOf(x.data(), static_cast<int64_t>(count)), expected, 1e-13 * magnitude);
    std::vector<double> sums(count + 1, 0.25);
    AddTo(x.data(), static_cast<int64_t>(count), sums.data());
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(sums[i], 0.25 + static_cast<double>(x[i]));
    EXPECT_EQ(sums[count], 0.25);
  }
}

TEST(MoveToSumsTest, AddsWholeNumbersOfItsUnit) {
  for (const int64_t count : kLengths) {
    const std::vector<float> x = RandomRow(count, 4);
    ForEachTarget([&] {
      std::vector<float> moved = x;
      std::vector<int64_t> sums(count, 1000);
      MoveToSums(moved.data(), count, sums.data());
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(moved[i], 0);
        ASSERT_EQ(sums[i], 1000 + std::llrint(static_cast<double>(x[i]) * 0x1p36)) << x[i];
      }
    });
  }
  for (const float most : {-0x1p14F, 0.0F, 0x1p-40F, 0x1p14F}) {
    float x = most;
    int64_t sum = -7;
    MoveToSums(&x, 1, &sum);
    EXPECT_EQ(sum, -7 + std::llrint(most * 0x1p36));
  }
}

TEST(SumOfDistancesTest, EqualsItsFormula) {
  for (const auto& size :
       {std::pair<int64_t, int64_t>{1, 1}, {3, 1}, {1, 19}, {5, 7}, {4, 16}, {25, 37}, {70, 33}}) {
    const int64_t height = size.first, width = size.second;
    std::vector<float> x = RandomRow(height * width + kPartPadding, 1);
    for (float& value : x) value = std::abs(value);
    const FloatBuffer table = DistanceTable(height, width);
    for (const int64_t from : {int64_t{0}, height * width / 2, height * width - 1}) {
      const int64_t row = from / width, column = from % width;
      double expected = 0;
      for (int64_t i = 0; i < height * width; ++i) {
        expected += x[i] * std::hypot(i / width - row, i % width - column);
      }
      ForEachTarget([&] {
        ASSERT_NEAR(SumOfDistances(x.data(), table.data(), height, width, row, column), expected,
                    1e-6 * expected);
      });
    }
  }
}

}  // namespace
}  // namespace vggt
