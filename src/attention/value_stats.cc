// SPDX-License-Identifier: Apache-2.0
#include "attention/value_stats.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace vggt {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kLanes = 16;
// The bound rises after so many values at the earliest.
constexpr size_t kTogether = 256;

// How many of `count` values stand at or above the 99th percentile. In integers: 0.99 in binary is
// a little more than it should be.
int64_t CountAbove(int64_t count) { return count - (99 * (count - 1) + 99) / 100; }

}  // namespace

StatsCollector::StatsCollector(int64_t most)
    : wanted_(static_cast<size_t>(CountAbove(std::max<int64_t>(most, 1)))),
      least_(kInfinity),
      largest_(-kInfinity),
      bound_(-kInfinity),
      upper_(3 * wanted_ + kTogether) {}

void StatsCollector::Add(std::span<const float> values) {
  for (size_t i = 0; i < values.size(); i += kTogether) {
    AddSome(values.subspan(i, std::min(kTogether, values.size() - i)));
  }
}

// Comparisons with NaN are false.
void StatsCollector::AddSome(std::span<const float> values) {
  // Lane by lane, which the compiler turns into vectors.
  float least[kLanes], largest[kLanes];
  int32_t numbers[kLanes] = {};
  std::fill_n(least, kLanes, least_);
  std::fill_n(largest, kLanes, largest_);
  const auto look = [&](float value, size_t lane) {
    least[lane] = value < least[lane] ? value : least[lane];
    largest[lane] = value > largest[lane] ? value : largest[lane];
    numbers[lane] += value == value ? 1 : 0;
  };
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) look(values[i + lane], lane);
  }
  for (; i < values.size(); ++i) look(values[i], 0);
  least_ = *std::min_element(least, least + kLanes);
  largest_ = *std::max_element(largest, largest + kLanes);
  count_ += std::accumulate(numbers, numbers + kLanes, int64_t{0});

  // Every value is written, and overwritten by the next if it is not wanted: no processor can guess
  // which are.
  const float bound = bound_;
  float* end = upper_.data() + kept_;
  for (const float value : values) {
    *end = value;
    end += value > bound ? 1 : 0;
  }
  kept_ = static_cast<size_t>(end - upper_.data());
  if (kept_ < 3 * wanted_) return;
  const auto last = upper_.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1;
  std::nth_element(upper_.begin(), last, upper_.begin() + static_cast<std::ptrdiff_t>(kept_),
                   std::greater<>());
  bound_ = *last;
  kept_ = wanted_;
}

ValueStats StatsCollector::Stats() const {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (count_ == 0) return {kNone, kNone, kNone};
  std::vector<float> upper(upper_.begin(), upper_.begin() + static_cast<std::ptrdiff_t>(kept_));
  const auto place = upper.begin() + CountAbove(count_) - 1;
  std::nth_element(upper.begin(), place, upper.end(), std::greater<>());
  return {least_, *place == 0 ? largest_ : *place, largest_};
}

ValueStats StatsOf(std::span<const std::span<const float>> parts) {
  int64_t count = 0;
  for (const std::span<const float> part : parts) count += std::ssize(part);
  StatsCollector collector(count);
  for (const std::span<const float> part : parts) collector.Add(part);
  return collector.Stats();
}

}  // namespace vggt
