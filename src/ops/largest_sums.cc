// SPDX-License-Identifier: Apache-2.0
#include "ops/largest_sums.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace vggt {
namespace {

// Values that agree in exponent and the first five bits of the fraction share a bucket; those
// smaller than 2⁻³² of the largest share the last. Few buckets hold the end of a sum, and only
// those are looked into.
constexpr uint32_t kBucketShift = 18;
constexpr size_t kBuckets = 1024;

double SumOf(const float* x, int64_t count) {
  constexpr int64_t kTogether = 8;
  double sums[kTogether] = {};
  int64_t i = 0;
  for (; i + kTogether <= count; i += kTogether) {
    for (int64_t j = 0; j < kTogether; ++j) sums[j] += x[i + j];
  }
  for (; i < count; ++i) sums[0] += x[i];
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

void LargestSums::Take(std::span<const float> values) {
  ordered_.resize(values.size());
  where_.resize(values.size());
  float largest = 0;
  for (const float v : values) largest = std::max(largest, v);
  // The bits of floats that are not negative ascend as they do.
  const uint32_t top = std::bit_cast<uint32_t>(largest) >> kBucketShift;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t below = top - (std::bit_cast<uint32_t>(values[i]) >> kBucketShift);
    where_[i] = static_cast<uint16_t>(std::min<uint32_t>(below, kBuckets - 1));
  }
  ends_.assign(kBuckets + 1, 0);
  for (const uint16_t bucket : where_) ++ends_[bucket + 1U];
  for (size_t b = 1; b <= kBuckets; ++b) ends_[b] += ends_[b - 1];
  // ends_[b] is where bucket b begins, and after the copy where it ends.
  for (size_t i = 0; i < values.size(); ++i) {
    ordered_[static_cast<size_t>(ends_[where_[i]]++)] = values[i];
  }
  ends_.pop_back();
}

void LargestSums::Sums(std::span<const int64_t> counts, double* sums) {
  int64_t done = 0;
  double sum = 0;
  auto bucket = ends_.begin();
  for (size_t i = 0; i < counts.size(); ++i) {
    bucket = std::lower_bound(bucket, ends_.end(), counts[i]);
    const int64_t begin = bucket == ends_.begin() ? 0 : *(bucket - 1);
    if (counts[i] < *bucket && counts[i] > begin) {
      // What was summed up before stays in front.
      std::nth_element(ordered_.begin() + std::max(begin, done), ordered_.begin() + counts[i],
                       ordered_.begin() + *bucket, std::greater<>());
    }
    sum += SumOf(ordered_.data() + done, counts[i] - done);
    done = counts[i];
    sums[i] = sum;
  }
}

int64_t LargestSums::CountToReach(double target) {
  double sum = 0;
  int64_t begin = 0;
  for (const int64_t end : ends_) {
    const double with = sum + SumOf(ordered_.data() + begin, end - begin);
    if (with >= target && end > begin) {
      std::sort(ordered_.begin() + begin, ordered_.begin() + end, std::greater<>());
      while (begin < end && sum < target) sum += ordered_[static_cast<size_t>(begin++)];
      return begin;
    }
    sum = with;
    begin = end;
  }
  return std::ssize(ordered_);
}

}  // namespace vggt
