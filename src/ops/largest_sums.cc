// SPDX-License-Identifier: Apache-2.0
// Values are divided like in quicksort, but only where the end of a sum lies, and what was divided
// for one sum stays so for the next. The value to divide at is chosen from a sample, a little to
// the far side of the place that is looked for: that place then lies in the smaller part.
#include "ops/largest_sums.h"

#include <algorithm>
#include <functional>

#include "ops/row_metrics.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/largest_sums.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/nth_largest-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

constexpr int64_t kSample = 32;

// The n-th largest of at most kSample values, or about that of more.
float PivotNear(const float* x, int64_t count, int64_t n) {
  float sample[kSample + kPartPadding];
  if (count <= kSample) {
    std::copy_n(x, count, sample);
    return NthLargest(sample, count, n);
  }
  for (int64_t i = 0; i < kSample; ++i) sample[i] = x[i * count / kSample];
  const int64_t near = n * kSample / count;
  const int64_t aside = 2 * n < count ? near + 2 : near - 1;
  return NthLargest(sample, kSample, std::clamp<int64_t>(aside, 1, kSample));
}

// Puts the values larger than `pivot` in front, then those equal to it, then the others, which
// pass through `smaller`, with room for all. Returns how many are larger and how many equal.
void PutInOrder(float* x, int64_t count, float pivot, float* smaller, int64_t* sizes) {
  const V pivots = hn::Set(d, pivot);
  int64_t larger = 0, rest = 0, i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V values = hn::LoadU(d, x + i);
    const auto above = hn::Gt(values, pivots), below = hn::Lt(values, pivots);
    hn::StoreU(hn::Compress(values, above), d, x + larger);  // what is overwritten was read
    hn::StoreU(hn::Compress(values, below), d, smaller + rest);
    larger += static_cast<int64_t>(hn::CountTrue(d, above));
    rest += static_cast<int64_t>(hn::CountTrue(d, below));
  }
  for (; i < count; ++i) {
    const float value = x[i];
    if (value > pivot) x[larger++] = value;
    if (value < pivot) smaller[rest++] = value;
  }
  sizes[0] = larger;
  sizes[1] = count - larger - rest;
  std::fill(x + larger, x + larger + sizes[1], pivot);
  std::copy_n(smaller, rest, x + larger + sizes[1]);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(PivotNear);
HWY_EXPORT(PutInOrder);

constexpr int64_t kFew = 32;  // values that are sorted

}  // namespace

void LargestSums::Take(std::span<const float> values) {
  values_.assign(values.begin(), values.end());
  smaller_.resize(values.size());
  parts_.assign(
      {{0, 0, false}, {std::ssize(values_), SumOf(values_.data(), std::ssize(values_)), true}});
}

void LargestSums::Divide(size_t part, int64_t n) {
  const Part whole = parts_[part];
  float* const x = values_.data() + whole.begin;
  const int64_t count = SizeOf(part);
  const float pivot = HWY_DYNAMIC_DISPATCH(PivotNear)(x, count, n);
  int64_t sizes[2];
  HWY_DYNAMIC_DISPATCH(PutInOrder)(x, count, pivot, smaller_.data(), sizes);
  const auto [larger, equal] = sizes;
  const double sum = whole.before + SumOf(x, larger);
  const Part same{whole.begin + larger, sum, true};
  const Part others{same.begin + equal, sum + static_cast<double>(equal) * pivot, false};
  auto place = parts_.begin() + static_cast<int64_t>(part);
  if (larger > 0) {
    place = parts_.insert(place + 1, same);
  } else {
    *place = same;
  }
  if (larger + equal < count) parts_.insert(place + 1, others);
}

double LargestSums::SumOfLargest(int64_t count) {
  const auto part_of = [&] {
    const auto after = std::ranges::upper_bound(parts_, count, {}, &Part::begin);
    return static_cast<size_t>(after - parts_.begin()) - 1;
  };
  size_t part = part_of();
  while (!parts_[part].sorted && parts_[part].begin < count) {
    Divide(part, count - parts_[part].begin);
    part = part_of();
  }
  return parts_[part].before +
         SumOf(values_.data() + parts_[part].begin, count - parts_[part].begin);
}

// The last first: what is in front of it is less to divide for the others.
void LargestSums::Sums(std::span<const int64_t> counts, double* sums) {
  for (size_t i = counts.size(); i-- > 0;) sums[i] = SumOfLargest(counts[i]);
}

int64_t LargestSums::CountToReach(double target) {
  if (target <= 0) return 0;
  for (;;) {
    const auto reached = std::ranges::lower_bound(parts_, target, {}, &Part::before);
    if (reached == parts_.end()) return std::ssize(values_);
    const auto part = static_cast<size_t>(reached - parts_.begin()) - 1;
    const int64_t begin = parts_[part].begin, end = parts_[part + 1].begin;
    if (!parts_[part].sorted && end - begin > kFew) {
      Divide(part, (end - begin) / 2);
      continue;
    }
    if (!parts_[part].sorted) {
      std::sort(values_.begin() + begin, values_.begin() + end, std::greater<>());
      parts_[part].sorted = true;
    }
    double sum = parts_[part].before;
    int64_t count = begin;
    while (count < end && sum < target) sum += values_[static_cast<size_t>(count++)];
    return count;
  }
}

}  // namespace vggt
#endif  // HWY_ONCE
