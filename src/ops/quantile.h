// SPDX-License-Identifier: Apache-2.0
// Exact quantiles of many floats, without sorting or copying them all.
#pragma once

#include <cstdint>
#include <limits>
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

// The quantiles of groups of values that are in memory one after another, and of all of them:
// at most about twice (1 - q) · total of the largest values so far are kept, unless many are equal.
class GroupQuantiles {
 public:
  // `total` values in all, one or more.
  GroupQuantiles(int64_t total, double q);

  // What Quantile gives for each of the next groups. On all threads.
  std::vector<double> Add(std::span<const StridedValues> groups);
  // What Quantile would give for the values of all groups. Throws Error if they are not `total`.
  double OfAll() const;

 private:
  void Prune();

  const int64_t total_;
  const double q_;
  const int64_t wanted_;            // how many of the largest values are needed
  std::vector<int64_t> histogram_;  // of the values so far, complete from bound_ on
  int64_t added_ = 0;
  float bound_ = -std::numeric_limits<float>::infinity();  // below it no value is needed
  std::vector<float> upper_;                               // all the others
};

}  // namespace vggt
