// SPDX-License-Identifier: Apache-2.0
// Exact quantiles of many floats, without sorting or copying them all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vggt {

// `runs` runs of `length` values each; run i begins at data + i · stride. None may be NaN.
struct StridedValues {
  const float* data = nullptr;
  int64_t runs = 0, length = 0, stride = 0;

  int64_t count() const { return runs * length; }
};

// numpy.quantile(values, q): linear between the two order statistics around q · (count - 1), q in
// [0, 1]. Exact, in time linear in the count; fastest, and with little memory, for q near 1. On all
// threads, or on one below a million values. Throws Error if there are no values.
double Quantile(const StridedValues& values, double q);

// Quantiles of groups of values, of which only one group is in memory at a time, and the quantile
// of all values together. Of the values so far the largest are kept, about (1 - q) · total.
class GroupQuantiles {
 public:
  // `total`: number of values of all groups, at least 1. `sample`: some of the values of all
  // groups, or none. It gives a lower bound from the start, so that fewer values are kept on the
  // way.
  GroupQuantiles(int64_t total, double q, std::vector<float> sample = {});

  // What Quantile gives for each of the next groups. On all threads.
  std::vector<double> Add(std::span<const StridedValues> groups);
  // What Quantile would give for the values of all groups. Nothing if the bound from the sample was
  // too high; without a sample this cannot happen. Throws Error unless `total` values were added.
  std::optional<double> OfAll() const;

 private:
  void Keep(const std::vector<float>& upper);
  void RaiseBound();

  const int64_t total_;
  const double q_;
  const int64_t wanted_;  // how many of the largest values are needed
  int64_t added_ = 0;
  float bound_;               // below it no value is needed
  std::vector<float> upper_;  // all the others
};

}  // namespace vggt
