// SPDX-License-Identifier: Apache-2.0
// A row is one task, whatever its length: LayerNorm's rows are short (a head or the model's width).
//
// A floating-point sum depends on its order. Here the order is fixed by Sum(): value c goes to part
// c mod 16, and the 16 parts are joined in halves. 16 floats are one vector of AVX-512, two of
// AVX2, four of SSE or NEON, so every instruction set adds the same numbers in the same order. All
// else is computed value by value with separate multiplications and additions, never fused. So the
// bits are the same everywhere.
#include "ops/rowwise.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "core/tensor.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rowwise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int64_t kLanes = hn::MaxLanes(d);
// Parts of a sum, on every instruction set. They also lose fewer digits than a single sum.
constexpr int64_t kParts = 16;
constexpr int64_t kVectors = kParts / kLanes;
static_assert(kVectors * kLanes == kParts);

// The sum of value(x[c]) over [0, count). `value` takes vectors, `value_of_one` single floats; both
// compute the same.
template <typename Value, typename ValueOfOne>
float Sum(int64_t count, const float* HWY_RESTRICT x, const Value& value,
          const ValueOfOne& value_of_one) {
  V sums[kVectors];
  for (V& sum : sums) sum = hn::Zero(d);
  int64_t c = 0;
  for (; c + kParts <= count; c += kParts) {
    for (int64_t j = 0; j < kVectors; ++j) {
      sums[j] = hn::Add(sums[j], value(hn::LoadU(d, x + c + j * kLanes)));
    }
  }
  alignas(64) float partial[kParts];
  for (int64_t j = 0; j < kVectors; ++j) hn::Store(sums[j], d, partial + j * kLanes);
  for (; c < count; ++c) partial[c % kParts] += value_of_one(x[c]);
  for (int64_t width = kParts / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) partial[lane] += partial[lane + width];
  }
  return partial[0];
}

HWY_INLINE void StoreVector(V v, float* y) { hn::StoreU(v, d, y); }

// Rounds to bfloat16, to nearest, ties to even. Not for NaN.
HWY_INLINE void StoreVector(V v, uint16_t* y) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> d16;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF))));
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, rounded)), d16, y);
}

inline void StoreOne(float v, float* y) { *y = v; }
inline void StoreOne(float v, uint16_t* y) { *y = F32ToBF16(v); }

// Takes the mean first and then the variance of the centred values, as tests/reference does. The
// mean of squares less the square of the mean would lose its digits where the mean is large.
template <typename T>
void NormalizeRow(int64_t cols, const float* x, const float* weight, const float* bias, float eps,
                  T* y) {
  const auto count = static_cast<float>(cols);
  const float mean = Sum(
                         cols, x, [](V v) HWY_ATTR { return v; }, [](float v) { return v; }) /
                     count;
  const V means = hn::Set(d, mean);
  const float squares = Sum(
      cols, x,
      [=](V v) HWY_ATTR {
        const V centred = hn::Sub(v, means);
        return hn::Mul(centred, centred);
      },
      [=](float v) { return (v - mean) * (v - mean); });
  const float scale = 1 / std::sqrt(squares / count + eps);
  const V scales = hn::Set(d, scale);
  int64_t c = 0;
  for (; c + kLanes <= cols; c += kLanes) {
    const V centred = hn::Mul(hn::Sub(hn::LoadU(d, x + c), means), scales);
    StoreVector(hn::Add(hn::Mul(centred, hn::LoadU(d, weight + c)), hn::LoadU(d, bias + c)), y + c);
  }
  for (; c < cols; ++c) StoreOne((x[c] - mean) * scale * weight[c] + bias[c], y + c);
}

void NormalizeToF32(int64_t cols, const float* x, const float* weight, const float* bias, float eps,
                    float* y) {
  NormalizeRow(cols, x, weight, bias, eps, y);
}

void NormalizeToBf16(int64_t cols, const float* x, const float* weight, const float* bias,
                     float eps, uint16_t* y) {
  NormalizeRow(cols, x, weight, bias, eps, y);
}

// Without their sign, the bits of floats are in the order of their magnitudes: those of infinity
// come after all finite ones', those of NaN after infinity's.
bool RowsBelow(int64_t rows, int64_t cols, int64_t stride, const float* x, float limit) {
  const hn::RebindToUnsigned<D> du;
  constexpr int64_t kTogether = 4;  // since each maximum waits for the one before
  constexpr uint32_t kMagnitude = 0x7FFFFFFF;
  const auto mask = hn::Set(du, kMagnitude);
  hn::Vec<decltype(du)> most[kTogether];
  for (auto& each : most) each = hn::Zero(du);
  uint32_t rest = 0;
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    const auto magnitudes = [&](int64_t c) HWY_ATTR {
      return hn::And(hn::BitCast(du, hn::LoadU(d, x + c)), mask);
    };
    int64_t c = 0;
    for (; c + kTogether * kLanes <= cols; c += kTogether * kLanes) {
      for (int64_t j = 0; j < kTogether; ++j) {
        most[j] = hn::Max(most[j], magnitudes(c + j * kLanes));
      }
    }
    for (; c + kLanes <= cols; c += kLanes) most[0] = hn::Max(most[0], magnitudes(c));
    for (; c < cols; ++c) rest = std::max(rest, std::bit_cast<uint32_t>(x[c]) & kMagnitude);
  }
  const auto both = hn::Max(hn::Max(most[0], most[1]), hn::Max(most[2], most[3]));
  rest = std::max(rest, hn::GetLane(hn::MaxOfLanes(du, both)));
  return rest < std::bit_cast<uint32_t>(limit);
}

// 0 · x is 0 for a finite x and NaN otherwise, and a sum that has a NaN in it is NaN.
template <typename T>
bool Scale(const float* x, int64_t count, float scale, T* y) {
  const V scales = hn::Set(d, scale);
  V zeros = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V v = hn::LoadU(d, x + i);
    zeros = hn::Add(zeros, hn::Mul(v, hn::Zero(d)));
    StoreVector(hn::Mul(v, scales), y + i);
  }
  float zero = hn::GetLane(hn::SumOfLanes(d, zeros));
  for (; i < count; ++i) {
    zero += 0 * x[i];
    StoreOne(x[i] * scale, y + i);
  }
  return zero == 0;
}

bool ScaleToF32(const float* x, int64_t count, float scale, float* y) {
  return Scale(x, count, scale, y);
}

bool ScaleToBf16(const float* x, int64_t count, float scale, uint16_t* y) {
  return Scale(x, count, scale, y);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

constexpr size_t kGrain = 32;              // rows that a thread takes at a time
constexpr int64_t kRangeValues = 1 << 16;  // values that a thread takes at a time

HWY_EXPORT(NormalizeToF32);
HWY_EXPORT(NormalizeToBf16);
HWY_EXPORT(RowsBelow);
HWY_EXPORT(ScaleToF32);
HWY_EXPORT(ScaleToBf16);

}  // namespace

void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, float* y) {
  const auto normalize = HWY_DYNAMIC_DISPATCH(NormalizeToF32);
  ParallelFor(static_cast<size_t>(rows), kGrain,
              [=](size_t r) { normalize(cols, x + r * cols, weight, bias, eps, y + r * cols); });
}

void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               float eps, uint16_t* y) {
  const auto normalize = HWY_DYNAMIC_DISPATCH(NormalizeToBf16);
  ParallelFor(static_cast<size_t>(rows), kGrain,
              [=](size_t r) { normalize(cols, x + r * cols, weight, bias, eps, y + r * cols); });
}

void LayerNormHeads(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride, float* x,
                    const float* weight, const float* bias, float eps) {
  const auto normalize = HWY_DYNAMIC_DISPATCH(NormalizeToF32);
  ParallelFor(static_cast<size_t>(tokens), kGrain, [=](size_t t) {
    float* row = x + t * token_stride;
    for (int64_t h = 0; h < heads; ++h, row += head_dim) {
      normalize(head_dim, row, weight, bias, eps, row);
    }
  });
}

bool ScaleFinite(const float* x, int64_t count, float scale, float* y) {
  return HWY_DYNAMIC_DISPATCH(ScaleToF32)(x, count, scale, y);
}

bool ScaleFinite(const float* x, int64_t count, float scale, uint16_t* y) {
  return HWY_DYNAMIC_DISPATCH(ScaleToBf16)(x, count, scale, y);
}

bool AllBelow(int64_t rows, int64_t cols, int64_t stride, const float* x, float limit) {
  return HWY_DYNAMIC_DISPATCH(RowsBelow)(rows, cols, stride, x, limit);
}

bool AllFinite(const float* x, int64_t count) {
  std::atomic<bool> all{true};
  ParallelFor((count + kRangeValues - 1) / kRangeValues, 1, [&](size_t i) {
    const int64_t begin = static_cast<int64_t>(i) * kRangeValues;
    const int64_t values = std::min(kRangeValues, count - begin);
    const float limit = std::numeric_limits<float>::infinity();
    if (!AllBelow(1, values, values, x + begin, limit)) all = false;
  });
  return all;
}

}  // namespace vggt
#endif  // HWY_ONCE
