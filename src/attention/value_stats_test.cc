// SPDX-License-Identifier: Apache-2.0
#include "attention/value_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace vggt {
namespace {

// As the contract has it, with everything sorted.
ValueStats SlowStats(std::vector<float> values) {
  std::erase_if(values, [](float value) { return std::isnan(value); });
  if (values.empty()) return {NAN, NAN, NAN};
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  const size_t place = (99 * (n - 1) + 99) / 100;
  return {values.front(), values[place] == 0 ? values.back() : values[place], values.back()};
}

void ExpectSame(const ValueStats& stats, const ValueStats& expected) {
  if (std::isnan(expected.least)) {
    EXPECT_TRUE(std::isnan(stats.least) && std::isnan(stats.p99) && std::isnan(stats.largest));
    return;
  }
  EXPECT_EQ(stats.least, expected.least);
  EXPECT_EQ(stats.p99, expected.p99);
  EXPECT_EQ(stats.largest, expected.largest);
}

ValueStats StatsOfAll(const std::vector<float>& values) {
  const std::span<const float> part = values;
  return StatsOf({&part, 1});
}

TEST(ValueStats, AscendingValueNumber) {
  std::vector<float> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 1;
  const auto p99 = [&](size_t n) { return StatsOfAll({values.begin(), values.begin() + n}).p99; };
  EXPECT_EQ(p99(1), 1);
  EXPECT_EQ(p99(2), 2);      // ⌈0.99⌉ = 1
  EXPECT_EQ(p99(100), 100);  // ⌈98.01⌉ = 99
  EXPECT_EQ(p99(101), 100);  // 99 exactly
  EXPECT_EQ(p99(102), 101);  // ⌈99.99⌉ = 100
  EXPECT_EQ(p99(201), 199);  // 198 exactly
}

TEST(ValueStats, WhereMostIsZeroTheLargestStands) {
  std::vector<float> values(1000, 0.0F);
  ExpectSame(StatsOfAll(values), {0, 0, 0});
  values[7] = 0.25F;
  ExpectSame(StatsOfAll(values), {0, 0.25, 0.25});
}

TEST(ValueStats, NoValues) {
  ExpectSame(StatsOfAll({}), {NAN, NAN, NAN});
  ExpectSame(StatsOfAll(std::vector<float>(40, NAN)), {NAN, NAN, NAN});
}

// In every order, with values that occur often and with NaN between them.
TEST(ValueStats, SameAsSorting) {
  std::mt19937 random(1);
  for (size_t n = 1; n < 5000; n = n * 3 / 2 + 1) {
    std::vector<float> values(n);
    for (float& value : values) {
      value = std::exp(std::normal_distribution<float>(-8, 2)(random));
    }
    std::vector<std::vector<float>> cases = {values};
    std::sort(values.begin(), values.end());
    cases.push_back(values);
    std::reverse(values.begin(), values.end());
    cases.push_back(values);
    for (float& value : values) value = std::round(value * 1000) - 3;
    cases.push_back(values);
    for (size_t i = 0; i < n; i += 1 + i / 3) values[i] = NAN;
    cases.push_back(values);
    for (const std::vector<float>& each : cases) {
      SCOPED_TRACE(n);
      ExpectSame(StatsOfAll(each), SlowStats(each));
    }
  }
}

TEST(ValueStats, PartsAreTakenTogether) {
  std::mt19937 random(2);
  std::vector<float> values(3001);
  for (float& value : values) value = std::normal_distribution<float>()(random);
  const std::span<const float> all = values;
  const std::vector<std::span<const float>> parts = {
      all.first(7), all.subspan(7, 1000), {}, all.subspan(1007)};
  ExpectSame(StatsOf(parts), SlowStats(values));
}

// Fewer than were announced.
TEST(ValueStats, AtMost) {
  StatsCollector collector(100'000);
  const std::vector<float> values = {3, 1, 2};
  collector.Add(values);
  ExpectSame(collector.Stats(), {1, 3, 3});
}

}  // namespace
}  // namespace vggt
