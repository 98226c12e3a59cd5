// SPDX-License-Identifier: Apache-2.0
// Exact quantiles of many floats, without sorting or copying them all.
#pragma once

#include <cstdint>
#include <vector>

namespace vggt {

// `runs` runs of `length` values each; run i begins at data + i · stride. None may be NaN.
struct StridedValues {
  const float* data = nullptr;
  int64_t runs = 0, length = 0, stride = 0;

  int64_t count() const { return runs * length; }
};

// numpy.quantile(values, q): linear between the two order statistics around q · (count - 1), q in
// [0, 1]. Exact, in time linear in the count; fastest, and with little memory, for q near 1.
// Throws Error if there are no values.
double Quantile(const StridedValues& values, double q);

// Quantiles of several groups of values and of all of them.
struct GroupQuantiles {
  double all = 0;
  std::vector<double> each;
};

// data [runs, groups, length]: the same quantile of each group and of all values, each equal to
// what Quantile gives, on all threads, with one pass over the data.
GroupQuantiles QuantilesOfGroups(const float* data, int64_t runs, int64_t groups, int64_t length,
                                 double q);

}  // namespace vggt
