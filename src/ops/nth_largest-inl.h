// SPDX-License-Identifier: Apache-2.0
// Vector code that finds single places in the order of few values.
#if defined(VGGT_OPS_NTH_LARGEST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VGGT_OPS_NTH_LARGEST_INL_H_
#undef VGGT_OPS_NTH_LARGEST_INL_H_
#else
#define VGGT_OPS_NTH_LARGEST_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "ops/attention_simd-inl.h"
#include "ops/row_metrics.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// The smallest value of x[0 … count) that fewer than n are larger than: the n-th, or the last.
// Takes the square of their number. Writes up to PaddedPart(count).
HWY_INLINE float NthLargest(float* x, int64_t count, int64_t n) {
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  std::fill(x + count, x + PaddedPart(count), std::numeric_limits<float>::infinity());
  V nth = infinity;
  for (int64_t i = 0; i < count; i += kLanes) {
    const V values = hn::LoadU(d, x + i);
    // Two counts, since each step of one waits for the step before.
    V larger = hn::Zero(d), other = larger;
    const auto one_if_larger = [&](float value) {
      return hn::IfThenElseZero(hn::Gt(hn::Set(d, value), values), hn::Set(d, 1));
    };
    int64_t j = 0;
    for (; j + 2 <= count; j += 2) {
      larger = hn::Add(larger, one_if_larger(x[j]));
      other = hn::Add(other, one_if_larger(x[j + 1]));
    }
    if (j < count) larger = hn::Add(larger, one_if_larger(x[j]));
    const auto among = hn::Lt(hn::Add(larger, other), hn::Set(d, static_cast<float>(n)));
    nth = hn::Min(nth, hn::IfThenElse(among, values, infinity));
  }
  return hn::GetLane(hn::MinOfLanes(d, nth));
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
