// SPDX-License-Identifier: Apache-2.0
// Sums of the largest values of a row, without sorting the whole of it: how much of a row of
// attention its k largest probabilities hold, for several k.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vggt {

// For one row at a time; each thread has its own.
class LargestSums {
 public:
  // Takes a copy of the values, at least one, finite and not negative.
  void Take(std::span<const float> values);

  // The sum of all values taken.
  double total() const { return parts_.back().before; }

  // sums[i] = the sum of the counts[i] largest of the values taken. `counts` lie in [0, number of
  // values]. Sums are double.
  void Sums(std::span<const int64_t> counts, double* sums);

  // How many of the largest it takes for a sum of at least `target`; all if they have less.
  int64_t CountToReach(double target);

 private:
  // The values from `begin` to the next part's are at least as large as those after them.
  struct Part {
    int64_t begin;
    double before;  // the sum of all values in front of it
    bool sorted;    // descending
  };

  double SumOfLargest(int64_t count);
  int64_t SizeOf(size_t part) const { return parts_[part + 1].begin - parts_[part].begin; }
  // Divides a part at its n-th largest value, or about there if it has many values.
  void Divide(size_t part, int64_t n);

  std::vector<float> values_, smaller_;
  std::vector<Part> parts_;  // and an empty one at the end
};

}  // namespace vggt
