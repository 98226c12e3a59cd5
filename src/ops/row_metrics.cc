// SPDX-License-Identifier: Apache-2.0
#include "ops/row_metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/row_metrics.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/attention_simd-inl.h"
#include "ops/nth_largest-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

static_assert(kPartPadding % kLanes == 0);

constexpr int64_t kSumTogether = 128;  // values a lane that are added in float32, before double

template <bool kWithMoments>
PartSums Exponentiate(const float* x, int64_t count, float* out) {
  PartSums result;
  result.largest = MaxOf(x, count, x[0]);
  const V shift = hn::Set(d, result.largest);
  for (int64_t i = 0; i < count;) {
    const int64_t end = std::min(count, i + kSumTogether * kLanes);
    V sum = hn::Zero(d), squares = hn::Zero(d), weighted = hn::Zero(d);
    const auto add = [&](V e, V difference) {
      hn::StoreU(e, d, out + i);
      sum = hn::Add(sum, e);
      if constexpr (kWithMoments) {
        squares = hn::MulAdd(e, e, squares);
        weighted = hn::MulAdd(e, difference, weighted);
      }
      i += kLanes;
    };
    while (i + kLanes <= end) {
      // The difference first: large logits keep their digits.
      const V difference = hn::Sub(hn::LoadU(d, x + i), shift);
      add(Exp(difference), difference);
    }
    if (i < end) {
      const auto exists = hn::FirstN(d, static_cast<size_t>(end - i));
      const V difference = hn::IfThenElseZero(exists, hn::Sub(LoadPart(x + i, end - i), shift));
      add(hn::IfThenElseZero(exists, Exp(difference)), difference);
    }
    result.sum += hn::GetLane(hn::SumOfLanes(d, sum));
    if constexpr (kWithMoments) {
      result.squares += hn::GetLane(hn::SumOfLanes(d, squares));
      result.weighted += hn::GetLane(hn::SumOfLanes(d, weighted));
    }
  }
  const int64_t written = (count + kLanes - 1) / kLanes * kLanes;
  std::fill(out + written, out + PaddedPart(count), 0.0F);
  return result;
}

PartSums ExponentiatePart(const float* x, int64_t count, float* out, PartMoments moments) {
  return moments == PartMoments::kYes ? Exponentiate<true>(x, count, out)
                                      : Exponentiate<false>(x, count, out);
}

int64_t FirstPlaceOf(float value, const float* x, int64_t count) {
  const V wanted = hn::Set(d, value);
  const auto is_here = [&](int64_t at) { return hn::Eq(hn::LoadU(d, x + at), wanted); };
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    const auto first = hn::Or(is_here(i), is_here(i + kLanes));
    const auto second = hn::Or(is_here(i + 2 * kLanes), is_here(i + 3 * kLanes));
    if (!hn::AllFalse(d, hn::Or(first, second))) break;
  }
  for (; i + kLanes <= count; i += kLanes) {
    const auto found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), wanted));
    if (found >= 0) return i + static_cast<int64_t>(found);
  }
  for (; i < count; ++i) {
    if (x[i] == value) return i;
  }
  return count;
}

// The largest values of sixteen interleaved sixteenths are sixteen values of the row, so that the
// tenth of them is a bound that at least ten values reach, and on average few more: these are
// gathered.
int64_t TopValues(const float* x, int64_t count, float* scratch, float* out) {
  constexpr int64_t kVectors = kPartPadding / kLanes, kSteps = 4, kStep = kSteps * kPartPadding;
  constexpr int64_t kFew = 64;
  float largest[kPartPadding];
  V best[kSteps * kVectors];
  for (V& b : best) b = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
#pragma GCC unroll 64
    for (int64_t v = 0; v < kSteps * kVectors; ++v) {
      best[v] = hn::Max(best[v], hn::LoadU(d, x + i + v * kLanes));
    }
  }
  for (int64_t v = 0; v < kVectors; ++v) {
    const V four = hn::Max(hn::Max(best[v], best[v + kVectors]),
                           hn::Max(best[v + 2 * kVectors], best[v + 3 * kVectors]));
    hn::StoreU(four, d, largest + v * kLanes);
  }
  for (; i < count; ++i) largest[i % kPartPadding] = std::max(largest[i % kPartPadding], x[i]);
  const float bound = NthLargest(largest, kPartPadding, kTopValues);

  const V bounds = hn::Set(d, bound);
  int64_t gathered = 0;
  const auto gather = [&](const float* from) {
    const V values = hn::LoadU(d, from);
    const auto reach = hn::Ge(values, bounds);
    hn::StoreU(hn::Compress(values, reach), d, scratch + gathered);
    gathered += static_cast<int64_t>(hn::CountTrue(d, reach));
  };
  // Most steps have none: one look at four vectors tells.
  constexpr int64_t kLook = 4 * kLanes;
  for (i = 0; i + kLook <= count; i += kLook) {
    const V most =
        hn::Max(hn::Max(hn::LoadU(d, x + i), hn::LoadU(d, x + i + kLanes)),
                hn::Max(hn::LoadU(d, x + i + 2 * kLanes), hn::LoadU(d, x + i + 3 * kLanes)));
    if (hn::AllFalse(d, hn::Ge(most, bounds))) continue;
    for (int64_t v = 0; v < 4; ++v) gather(x + i + v * kLanes);
  }
  for (; i < count; ++i) {
    if (x[i] >= bound) scratch[gathered++] = x[i];
  }
  const int64_t taken = std::min(gathered, kTopValues);
  // They are seldom more than a vector or two.
  if (gathered > kFew) {
    std::nth_element(scratch, scratch + taken - 1, scratch + gathered, std::greater<>());
    std::copy_n(scratch, taken, out);
    return taken;
  }
  const float tenth = NthLargest(scratch, gathered, kTopValues);
  int64_t written = 0;
  for (i = 0; i < gathered; ++i) {
    out[written] = scratch[i];
    written += scratch[i] > tenth ? 1 : 0;
  }
  std::fill(out + written, out + taken, tenth);
  return taken;
}

double SumOf(const float* x, int64_t count) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;  // as many floats
  const auto lanes = static_cast<int64_t>(hn::Lanes(dd));
  auto sum = hn::Zero(dd), other = hn::Zero(dd);
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    sum = hn::Add(sum, hn::PromoteTo(dd, hn::LoadU(df, x + i)));
    other = hn::Add(other, hn::PromoteTo(dd, hn::LoadU(df, x + i + lanes)));
  }
  double total = hn::GetLane(hn::SumOfLanes(dd, hn::Add(sum, other)));
  for (; i < count; ++i) total += x[i];
  return total;
}

void AddTo(const float* x, int64_t count, double* sums) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(dd));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(dd, sums + i), hn::PromoteTo(dd, hn::LoadU(df, x + i))), dd,
               sums + i);
  }
  for (; i < count; ++i) sums[i] += x[i];
}

// Adding 1.5 · 2^52 leaves the whole number in the lowest bits of a double.
void MoveToSums(float* x, int64_t count, int64_t* sums) {
  constexpr double kShift = 0x1.8p52;
  constexpr int64_t kShiftBits = std::bit_cast<int64_t>(kShift);
  for (int64_t i = 0; i < count; ++i) {
    sums[i] +=
        std::bit_cast<int64_t>(static_cast<double>(x[i]) * (1 / kSumUnit) + kShift) - kShiftBits;
    x[i] = 0;
  }
}

double SumOfDifferences(const float* x, float a, const float* y, float b, int64_t count) {
  const V factor_x = hn::Set(d, a), factor_y = hn::Set(d, b);
  double total = 0;
  for (int64_t i = 0; i < count;) {
    const int64_t end = std::min(count, i + kSumTogether * kLanes);
    V sum = hn::Zero(d);
    for (; i < end; i += kLanes) {
      // Both products are rounded, so that what is equal has no difference.
      const V left = hn::Mul(hn::LoadU(d, x + i), factor_x);
      const V right = hn::Mul(hn::LoadU(d, y + i), factor_y);
      sum = hn::Add(sum, hn::Abs(hn::Sub(left, right)));
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  return total;
}

void AddToTwo(const float* x, int64_t count, float a, float* first, float b, float* second) {
  const V factor_a = hn::Set(d, a), factor_b = hn::Set(d, b);
  for (int64_t i = 0; i < count; i += kLanes) {
    const V value = hn::LoadU(d, x + i);
    hn::StoreU(hn::MulAdd(value, factor_a, hn::LoadU(d, first + i)), d, first + i);
    hn::StoreU(hn::MulAdd(value, factor_b, hn::LoadU(d, second + i)), d, second + i);
  }
}

double SumOfDistances(const float* x, const float* distances, int64_t height, int64_t width,
                      int64_t row, int64_t column) {
  const int64_t whole = width / kLanes * kLanes;
  const auto rest = hn::FirstN(d, static_cast<size_t>(width - whole));
  const int64_t together = std::max<int64_t>(1, kSumTogether * kLanes / width);
  double total = 0;
  for (int64_t r = 0; r < height;) {
    V sum = hn::Zero(d);
    for (const int64_t end = std::min(height, r + together); r < end; ++r, x += width) {
      const float* table = distances + std::abs(r - row) * (2 * width - 1) + width - 1 - column;
      for (int64_t c = 0; c < whole; c += kLanes) {
        sum = hn::MulAdd(hn::LoadU(d, x + c), hn::LoadU(d, table + c), sum);
      }
      if (whole == width) continue;
      const V values = hn::IfThenElseZero(rest, hn::LoadU(d, x + whole));
      sum = hn::MulAdd(values, hn::LoadU(d, table + whole), sum);
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  return total;
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(ExponentiatePart);
HWY_EXPORT(FirstPlaceOf);
HWY_EXPORT(TopValues);
HWY_EXPORT(SumOfDifferences);
HWY_EXPORT(AddToTwo);
HWY_EXPORT(AddTo);
HWY_EXPORT(MoveToSums);
HWY_EXPORT(SumOf);
HWY_EXPORT(SumOfDistances);

}  // namespace

PartSums ExponentiatePart(const float* x, int64_t count, float* out, PartMoments moments) {
  return HWY_DYNAMIC_DISPATCH(ExponentiatePart)(x, count, out, moments);
}

int64_t FirstPlaceOf(float value, const float* x, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(FirstPlaceOf)(value, x, count);
}

int64_t TopValues(const float* x, int64_t count, float* scratch, float* out) {
  return HWY_DYNAMIC_DISPATCH(TopValues)(x, count, scratch, out);
}

double SumOfDifferences(const float* x, float a, const float* y, float b, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(SumOfDifferences)(x, a, y, b, count);
}

void AddToTwo(const float* x, int64_t count, float a, float* first, float b, float* second) {
  HWY_DYNAMIC_DISPATCH(AddToTwo)(x, count, a, first, b, second);
}

double SumOf(const float* x, int64_t count) { return HWY_DYNAMIC_DISPATCH(SumOf)(x, count); }

void AddTo(const float* x, int64_t count, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddTo)(x, count, sums);
}

void MoveToSums(float* x, int64_t count, int64_t* sums) {
  HWY_DYNAMIC_DISPATCH(MoveToSums)(x, count, sums);
}

double SumOfDistances(const float* x, const float* distances, int64_t height, int64_t width,
                      int64_t row, int64_t column) {
  return HWY_DYNAMIC_DISPATCH(SumOfDistances)(x, distances, height, width, row, column);
}

FloatBuffer DistanceTable(int64_t height, int64_t width) {
  FloatBuffer table(static_cast<size_t>(height * (2 * width - 1) + kPartPadding));
  float* out = table.data();
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t c = 1 - width; c < width; ++c) {
      *out++ = static_cast<float>(std::sqrt(static_cast<double>(r * r + c * c)));
    }
  }
  std::fill_n(out, kPartPadding, 0.0F);
  return table;
}

}  // namespace vggt
#endif  // HWY_ONCE
