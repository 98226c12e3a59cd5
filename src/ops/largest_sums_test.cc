// SPDX-License-Identifier: Apache-2.0
#include "ops/largest_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace vggt {
namespace {

void CompareWithSorting(const std::vector<float>& values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  std::vector<double> expected(sorted.size() + 1, 0);
  std::partial_sum(sorted.begin(), sorted.end(), expected.begin() + 1);
  const double total = expected.back();
  LargestSums sums;
  sums.Take(values);
  // Every count at once, then some, then each alone: earlier questions change nothing.
  std::vector<int64_t> counts(expected.size());
  std::iota(counts.begin(), counts.end(), 0);
  std::vector<double> got(counts.size());
  const auto compare = [&] {
    got.resize(counts.size());
    sums.Sums(counts, got.data());
    for (size_t i = 0; i < counts.size(); ++i) {
      // Double sums in another order.
      ASSERT_NEAR(got[i], expected[static_cast<size_t>(counts[i])], 1e-12 * total) << counts[i];
    }
  };
  compare();
  sums.Take(values);
  const auto all = static_cast<int64_t>(values.size());
  counts = {0, all / 7, all / 7, all / 3, all / 2, all};
  compare();
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.999}) {
    const int64_t count = sums.CountToReach(share * total);
    EXPECT_GE(expected[static_cast<size_t>(count)], share * total * (1 - 1e-12));
    if (count > 0) {
      EXPECT_LT(expected[static_cast<size_t>(count) - 1], share * total * (1 + 1e-12));
    }
  }
  EXPECT_EQ(sums.CountToReach(2 * total + 1), all);
  compare();
}

TEST(LargestSums, EqualThoseOfTheSortedRow) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  // Flat, as attention is, and so peaked that most values are far below the largest.
  for (const float spread : {0.0F, 0.01F, 1.0F, 5.0F, 40.0F}) {
    for (const size_t count : {1U, 2U, 7U, 64U, 501U, 4650U}) {
      SCOPED_TRACE(::testing::Message() << count << " values, spread " << spread);
      std::vector<float> values(count);
      for (float& v : values) v = std::exp(std::min(spread * normal(engine), 80.0F));
      CompareWithSorting(values);
    }
  }
}

// Few different values, so that the value to divide at is one of many; and rows in order.
TEST(LargestSums, ManyEqualValues) {
  std::mt19937 engine(2);
  for (const int values : {2, 3, 40}) {
    std::uniform_int_distribution<int> value(0, values - 1);
    std::vector<float> row(777);
    for (float& v : row) v = static_cast<float>(value(engine));
    CompareWithSorting(row);
    std::sort(row.begin(), row.end());
    CompareWithSorting(row);
    std::reverse(row.begin(), row.end());
    CompareWithSorting(row);
  }
}

TEST(LargestSums, ZerosAndEqualValues) {
  CompareWithSorting(std::vector<float>(37, 0.0F));
  CompareWithSorting(std::vector<float>(37, 1.0F / 37));
  std::vector<float> sink(91, 0.0F);
  sink[17] = 1;
  CompareWithSorting(sink);
}

}  // namespace
}  // namespace vggt
