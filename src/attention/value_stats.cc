// SPDX-License-Identifier: Apache-2.0
#include "attention/value_stats.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace vggt {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kBlock = 16;

// How many of `count` values stand at or above the 99th percentile. In integers: 0.99 in binary is
// a little more than it should be.
int64_t CountAbove(int64_t count) { return count - (99 * (count - 1) + 99) / 100; }

}  // namespace

StatsCollector::StatsCollector(int64_t most)
    : wanted_(static_cast<size_t>(CountAbove(std::max<int64_t>(most, 1)))),
      least_(kInfinity),
      largest_(-kInfinity),
      bound_(-kInfinity) {
  upper_.reserve(3 * wanted_ + kBlock);
}

void StatsCollector::Add(std::span<const float> values) {
  // Lane by lane, as the compiler turns it into vectors. Comparisons with NaN are false.
  float least[kBlock], largest[kBlock];
  std::fill_n(least, kBlock, least_);
  std::fill_n(largest, kBlock, largest_);
  size_t i = 0;
  for (; i + kBlock <= values.size(); i += kBlock) {
    const float* block = values.data() + i;
    int numbers = 0, above = 0;
    for (size_t j = 0; j < kBlock; ++j) {
      const float value = block[j];
      least[j] = value < least[j] ? value : least[j];
      largest[j] = value > largest[j] ? value : largest[j];
      numbers += value == value;
      above += value > bound_;
    }
    count_ += numbers;
    if (above > 0) Keep({block, kBlock});
  }
  for (; i < values.size(); ++i) {
    const float value = values[i];
    least[0] = value < least[0] ? value : least[0];
    largest[0] = value > largest[0] ? value : largest[0];
    count_ += value == value;
    if (value > bound_) Keep({&value, 1});
  }
  least_ = *std::min_element(least, least + kBlock);
  largest_ = *std::max_element(largest, largest + kBlock);
}

// Keeps those that are above the bound, which rises whenever far more are kept than are wanted.
void StatsCollector::Keep(std::span<const float> block) {
  for (const float value : block) {
    if (value > bound_) upper_.push_back(value);
  }
  if (upper_.size() < 3 * wanted_) return;
  const auto last = upper_.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1;
  std::nth_element(upper_.begin(), last, upper_.end(), std::greater<>());
  bound_ = *last;
  upper_.resize(wanted_);
}

ValueStats StatsCollector::Stats() const {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (count_ == 0) return {kNone, kNone, kNone};
  std::vector<float> upper = upper_;
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
