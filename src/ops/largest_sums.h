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

  // sums[i] = the sum of the counts[i] largest of the values taken. `counts` do not descend and lie
  // in [0, number of values]. Sums are double.
  void Sums(std::span<const int64_t> counts, double* sums);

  // How many of the largest it takes for a sum of at least `target`; all if they have less.
  int64_t CountToReach(double target);

 private:
  std::vector<float> ordered_;   // bucket after bucket, the largest values first
  std::vector<uint16_t> where_;  // the bucket of each value
  std::vector<int64_t> ends_;    // of the buckets, in ordered_
};

}  // namespace vggt
