// SPDX-License-Identifier: Apache-2.0
#include "ops/quantile.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <random>

#include "testing.h"

namespace vggt {
namespace {

// numpy.quantile's formula on a copy, sorted as far as it reads it.
double Sorted(std::vector<float> values, double q) {
  const double place = q * static_cast<double>(values.size() - 1);
  const auto i = static_cast<size_t>(place);
  const double t = place - static_cast<double>(i);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(i);
  std::nth_element(values.begin(), at, values.end());
  const auto next = std::min_element(at + 1, values.end());
  const float a = *at, b = next == values.end() ? a : *next, d = b - a;
  return t < 0.5 ? a + d * t : b - d * (1 - t);
}

StridedValues Plain(const std::vector<float>& values) {
  const auto n = static_cast<int64_t>(values.size());
  return {values.data(), 1, n, n};
}

double Of(const std::vector<float>& values, double q) { return Quantile(Plain(values), q); }

double AddGroup(GroupQuantiles& quantiles, const StridedValues& group) {
  return quantiles.Add({&group, 1})[0];
}

TEST(Quantile, EqualsSorting) {
  std::mt19937 generator(1);
  std::exponential_distribution<float> exponential(1000);
  std::normal_distribution<float> normal(0, 3);
  for (const size_t n : {1, 2, 3, 99, 100, 101, 102, 5000, 70001}) {
    for (const bool probabilities : {true, false}) {
      std::vector<float> values(n);
      for (float& v : values) v = probabilities ? exponential(generator) : normal(generator);
      for (const double q : {0.0, 0.01, 0.5, 0.99, 0.999, 1.0}) {
        EXPECT_EQ(Of(values, q), Sorted(values, q)) << n << " values, q = " << q;
      }
    }
  }
}

// Groups of very different scale: what is high in one is low among all.
TEST(Quantile, GroupsAndAllEqualSorting) {
  std::mt19937 generator(2);
  std::exponential_distribution<float> exponential(1000);
  for (const int64_t runs : {1, 3, 40, 333}) {
    for (const int64_t groups : {1, 2, 5}) {
      const int64_t length = 257;
      std::vector<float> data(runs * groups * length);
      std::vector<std::vector<float>> each(groups);
      for (size_t i = 0; i < data.size(); ++i) {
        const auto group = static_cast<int64_t>(i) / length % groups;
        data[i] = exponential(generator) * static_cast<float>(std::pow(10, group));
        each[group].push_back(data[i]);
      }
      for (const double q : {0.0, 0.5, 0.99, 1.0}) {
        SCOPED_TRACE(::testing::Message() << runs << " × " << groups << ", q = " << q);
        GroupQuantiles up(runs * groups * length, q), down(runs * groups * length, q);
        for (int64_t g = 0; g < groups; ++g) {
          const auto values = [&](int64_t group) {
            return StridedValues{&data[group * length], runs, length, groups * length};
          };
          EXPECT_EQ(AddGroup(up, values(g)), Sorted(each[g], q));
          AddGroup(down, values(groups - 1 - g));
        }
        EXPECT_EQ(up.OfAll(), Sorted(data, q));
        EXPECT_EQ(down.OfAll(), Sorted(data, q));
      }
    }
  }
}

// More groups than fit, some at a time: what is kept is pruned on the way.
TEST(Quantile, ManyGroups) {
  constexpr int64_t kGroups = 60, kLength = 5000;
  std::mt19937 generator(3);
  std::exponential_distribution<float> exponential(1000);
  std::vector<float> data(kGroups * kLength);
  for (float& value : data) value = exponential(generator);
  GroupQuantiles quantiles(std::ssize(data), 0.99);
  for (int64_t g = 0; g < kGroups;) {
    std::vector<StridedValues> some;
    for (int64_t last = std::min(g + g % 4 + 1, kGroups); g < last; ++g) {
      some.push_back({&data[g * kLength], 50, kLength / 50, kLength / 50});
    }
    const std::vector<double> each = quantiles.Add(some);
    ASSERT_EQ(each.size(), some.size());
    for (size_t i = 0; i < some.size(); ++i) {
      ASSERT_EQ(each[i], Sorted({some[i].data, some[i].data + kLength}, 0.99));
    }
  }
  EXPECT_EQ(quantiles.OfAll(), Sorted(data, 0.99));
}

TEST(Quantile, ASampleOfAllGroupsSavesTimeOrIsRefused) {
  std::vector<float> data(50'000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i * 2654435761U % 100'003);
  std::vector<float> sample, misleading(100, 1e9F);
  for (size_t i = 0; i < data.size(); i += 10) sample.push_back(data[i]);
  const auto half = std::ssize(data) / 2;
  for (const bool mislead : {false, true}) {
    GroupQuantiles quantiles(2 * half, 0.9, mislead ? misleading : sample);
    for (const int64_t first : {int64_t{0}, half}) {
      const std::vector<float> group(data.begin() + first, data.begin() + first + half);
      EXPECT_EQ(AddGroup(quantiles, Plain(group)), Sorted(group, 0.9));
    }
    const std::optional<double> all = quantiles.OfAll();
    EXPECT_EQ(all.has_value(), !mislead);
    if (!mislead) {
      EXPECT_EQ(all, Sorted(data, 0.9));
    }
  }
}

TEST(Quantile, OtherGroupsThanAnnouncedAreAnError) {
  const std::vector<float> two = {1, 2};
  GroupQuantiles quantiles(3, 0.5);
  AddGroup(quantiles, Plain(two));
  EXPECT_THAT(testing::ErrorOf([&] { quantiles.OfAll(); }), ::testing::HasSubstr("announced"));
  EXPECT_THAT(testing::ErrorOf([&] { AddGroup(quantiles, {}); }),
              ::testing::HasSubstr("no values"));
}

// Printed by numpy 1.24: numpy.quantile(numpy.array(values, numpy.float32), 0.99).
TEST(Quantile, EqualsNumPy) {
  EXPECT_EQ(Of({0.1F, 0.2F, 0.3F}, 0.99), 0.29800001174211505);
  EXPECT_EQ(Of({1e-7F, 3e-4F, 0.25F, 0.125F, 0.0F}, 0.99), 0.245);
}

TEST(Quantile, ManyEqualValues) {
  std::vector<float> values(1000, 0.25F);
  EXPECT_EQ(Of(values, 0.99), 0.25);
  values.resize(100000, 0);
  EXPECT_EQ(Of(values, 0.99), Sorted(values, 0.99));
  EXPECT_EQ(Of({-0.0F, 0.0F, -1.0F}, 0.5), 0);
}

TEST(Quantile, TwoValues) {
  EXPECT_EQ(Of({0.0F, 1.0F}, 0.25), 0.25);
  EXPECT_EQ(Of({0.0F, 1.0F}, 0.75), 0.75);
}

// Samples are values at equal distances; here those are far too large, or far too small.
TEST(Quantile, AMisleadingSampleCostsTimeOnly) {
  for (const int64_t step : {1, 2, 8, 16, 24, 48, 96}) {
    for (const float extreme : {1e9F, -1e9F}) {
      std::vector<float> values(400'000);
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = i / 2 % step == 0 ? extreme : static_cast<float>(i * 2654435761U % 1000);
      }
      for (const double q : {0.3, 0.9, 0.95, 0.99}) {
        ASSERT_EQ(Of(values, q), Sorted(values, q)) << q << ", every " << step;
      }
    }
  }
}

TEST(Quantile, Strides) {
  std::mt19937 generator(2);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> values(7 * 3 * 11);  // [queries, heads, keys]
  for (float& v : values) v = uniform(generator);
  std::vector<float> second;
  for (int64_t q = 0; q < 7; ++q) {
    second.insert(second.end(), &values[q * 33 + 11], &values[q * 33 + 22]);
  }
  EXPECT_EQ(Quantile({&values[11], 7, 11, 33}, 0.99), Sorted(second, 0.99));
}

TEST(Quantile, OfNothingIsAnError) {
  EXPECT_THAT(testing::ErrorOf([] { return Of({}, 0.5); }), ::testing::HasSubstr("no values"));
}

}  // namespace
}  // namespace vggt
