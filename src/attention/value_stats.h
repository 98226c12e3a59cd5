// SPDX-License-Identifier: Apache-2.0
// Where a colour scale begins and ends: the least, the 99th percentile and the largest of values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vggt {

// NaN each if there are no values.
struct ValueStats {
  double least = 0;
  // Of n values in ascending order, counted from 0, number ⌈0.99 · (n − 1)⌉: a value that occurs,
  // numpy.quantile(values, 0.99, method="higher"). If that is 0, the largest instead, so that a
  // scale from 0 to here has a length.
  double p99 = 0;
  double largest = 0;
};

// Takes values as they come, of which only the largest are kept. NaN is left out; the others must
// be finite. Takes time linear in their number.
class StatsCollector {
 public:
  // At most `most` values will be added, NaN included.
  explicit StatsCollector(int64_t most);

  void Add(std::span<const float> values);
  ValueStats Stats() const;

 private:
  void AddSome(std::span<const float> values);

  size_t wanted_;  // how many of the largest may be needed
  int64_t count_ = 0;
  float least_, largest_;
  float bound_;  // no value up to here is needed, but for those that are kept already
  size_t kept_ = 0;
  std::vector<float> upper_;  // begins with the values that are kept
};

// Of all values of all `parts` together.
ValueStats StatsOf(std::span<const std::span<const float>> parts);

}  // namespace vggt
