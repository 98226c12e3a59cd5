// SPDX-License-Identifier: Apache-2.0
// Exact quantiles of many floats, without sorting or copying them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vggt {

// `runs` runs of `length` values each; run i begins at data + i · stride. None may be NaN.
struct StridedValues {
  const float* data = nullptr;
  int64_t runs = 0, length = 0, stride = 0;

  int64_t count() const { return runs * length; }
};

// How many of the values fall into each of 65536 classes, in ascending order: one pass over them.
class ValueHistogram {
 public:
  explicit ValueHistogram(const StridedValues& values);

  const StridedValues& values() const { return values_; }
  std::span<const uint64_t> counts() const { return counts_; }

 private:
  StridedValues values_;
  std::vector<uint64_t> counts_;
};

// numpy.quantile(all values of all parts, q): linear between the two order statistics around
// q · (count - 1), q in [0, 1]. Exact, in time linear in the count: one or two passes more.
// Throws Error if there are no values.
double Quantile(std::span<const ValueHistogram> parts, double q);

}  // namespace vggt
