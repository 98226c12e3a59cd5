// SPDX-License-Identifier: Apache-2.0
// Vector code that the attention kernels share; compiled once per instruction set.
#if defined(VGGT_KERNELS_ATTENTION_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VGGT_KERNELS_ATTENTION_SIMD_INL_H_
#undef VGGT_KERNELS_ATTENTION_SIMD_INL_H_
#else
#define VGGT_KERNELS_ATTENTION_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ops/attention_tile.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace at = attention_tile;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int64_t kLanes = HWY_LANES(float);
// The inner loop keeps 6 rows × kVectors vectors of sums in registers: 24 of 32, or 12 of 16.
using at::kRowGroup;
constexpr int kVectors = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_SCALAR ? 4 : 2;
constexpr int64_t kTile = kVectors * kLanes;  // keys side by side in a packed tile
static_assert(at::kRows % kRowGroup == 0 && at::kKeys % kTile == 0 && at::kKeyPadding % kTile == 0);

// The first `count` of x, zeros after them if the vector is longer.
HWY_INLINE V LoadPart(const float* x, int64_t count) {
  if (count >= kLanes) return hn::LoadU(d, x);
  float copy[kLanes] = {};
  if (count > 0) std::memcpy(copy, x, count * sizeof(float));
  return hn::LoadU(d, copy);
}

// Products of floats, one at a time.
struct Floats {
  using Value = float;
  static constexpr int64_t kPerValue = 1;
  static HWY_INLINE V Load(const float* x, int64_t count) { return LoadPart(x, count); }
  static HWY_INLINE V AddProduct(V sum, V a, V b) { return hn::MulAdd(a, b, sum); }
};

// c [kRowGroup, columns of kCols vectors] (+)= a [kRowGroup, depth] · b [depth, the same columns].
// Factors says what the values of a and b are.
template <class Factors, int kCols>
void Multiply(int64_t depth, const typename Factors::Value* HWY_RESTRICT a, int64_t a_stride,
              const typename Factors::Value* HWY_RESTRICT b, int64_t b_stride,
              float* HWY_RESTRICT c, int64_t c_stride, bool accumulate) {
  const hn::ScalableTag<typename Factors::Value> df;
  V sums[kRowGroup][kCols];
#pragma GCC unroll 8
  for (int r = 0; r < kRowGroup; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) {
      sums[r][j] = accumulate ? hn::LoadU(d, c + r * c_stride + j * kLanes) : hn::Zero(d);
    }
  }
  for (int64_t i = 0; i < depth; ++i, b += b_stride) {
    hn::Vec<decltype(df)> row[kCols];
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) row[j] = hn::LoadU(df, b + j * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRowGroup; ++r) {
      const auto value = hn::Set(df, a[r * a_stride + i]);
#pragma GCC unroll 4
      for (int j = 0; j < kCols; ++j) {
        sums[r][j] = Factors::AddProduct(sums[r][j], value, row[j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRowGroup; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) hn::StoreU(sums[r][j], d, c + r * c_stride + j * kLanes);
  }
}

// c [rows, cols] += a [rows, depth] · b [depth, cols]; rows and cols in whole groups and vectors.
// A part of b that stays in the first-level cache is used for all rows before the next one.
template <class Factors>
void AddProduct(int64_t rows, int64_t cols, int64_t depth, const typename Factors::Value* a,
                int64_t a_stride, const typename Factors::Value* b, float* c) {
  constexpr int64_t kDepth = 64;
  for (int64_t begin = 0; begin < depth; begin += kDepth) {
    const int64_t part = std::min(kDepth, depth - begin);
    for (int64_t col = 0; col < cols;) {
      const int64_t vectors = (cols - col) / kLanes;
      const int64_t taken = vectors >= 4 && kVectors == 4 ? 4 : vectors >= 2 ? 2 : 1;
      const auto multiply = taken == 4   ? Multiply<Factors, 4>
                            : taken == 2 ? Multiply<Factors, 2>
                                         : Multiply<Factors, 1>;
      for (int64_t r = 0; r < rows; r += kRowGroup) {
        multiply(part, a + r * a_stride + begin, a_stride, b + begin * cols + col, cols,
                 c + r * cols + col, cols, true);
      }
      col += taken * kLanes;
    }
  }
}

// Keys of one head, head_dim floats every `stride`, as a tile [depth, kTile] of Factors' values;
// zeros beyond `count` keys.
template <class Factors>
void PackKeys(const float* keys, int64_t stride, int64_t count, int64_t head_dim, int64_t depth,
              typename Factors::Value* HWY_RESTRICT tile) {
  using Value = typename Factors::Value;
  const hn::ScalableTag<Value> df;
  Value turned[4 * kLanes];
  for (int64_t t = 0; t < kTile; t += 4) {
    for (int64_t i = 0; i < depth; i += kLanes) {
      hn::Vec<decltype(df)> rows[4];
      for (int64_t r = 0; r < 4; ++r) {
        const int64_t c = i * Factors::kPerValue;
        rows[r] =
            t + r < count ? Factors::Load(keys + (t + r) * stride + c, head_dim - c) : hn::Zero(df);
      }
      hn::StoreInterleaved4(rows[0], rows[1], rows[2], rows[3], df, turned);
      for (int64_t j = 0; j < std::min(kLanes, depth - i); ++j) {
        std::memcpy(tile + (i + j) * kTile + t, turned + 4 * j, 4 * sizeof(Value));
      }
    }
  }
}

// x = whole + rest for -125 ≤ x ≤ 0, |rest| ≤ 1/2. Added to 1.5 · 2^23 a number is rounded to a
// whole one, which then stands in the lowest bits.
struct Split {
  explicit HWY_INLINE Split(V x)
      : shifted(hn::Add(x, hn::Set(d, 0x1.8p23F))),
        rest(hn::Sub(x, hn::Sub(shifted, hn::Set(d, 0x1.8p23F)))) {}
  // p · 2^whole, p in [1/2, 2).
  HWY_INLINE V TimesPower(V p) const {
    const hn::RebindToUnsigned<D> du;
    const auto exponent = hn::ShiftLeft<23>(hn::BitCast(du, shifted));
    return hn::BitCast(d, hn::Add(hn::BitCast(du, p), exponent));
  }
  V shifted, rest;
};

// 2^x for x ≤ 0; below -125 it stays there. Relative error below 2e-7: a polynomial of degree 6 on
// [-1/2, 1/2], fitted for least relative error (2e-9), times a power of two.
HWY_INLINE V Exp2(V x) {
  const Split split(hn::Max(x, hn::Set(d, -125.0F)));
  const V f = split.rest;
  V p = hn::Set(d, 1.5345811796e-4F);
  p = hn::MulAdd(p, f, hn::Set(d, 1.33999312168e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61848895787e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55032877698e-2F));
  p = hn::MulAdd(p, f, hn::Set(d, 2.40226468906e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 6.93147205737e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0F));
  return split.TimesPower(p);
}

HWY_INLINE float MaxOf(const float* x, int64_t count, float start) {
  V max = hn::Set(d, start), other = max;
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    max = hn::Max(max, hn::LoadU(d, x + i));
    other = hn::Max(other, hn::LoadU(d, x + i + kLanes));
  }
  float result = hn::GetLane(hn::MaxOfLanes(d, hn::Max(max, other)));
  for (; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

// max[r] = the larger of max[r] and the maximum of row r, for kRowGroup rows; returns whether any
// grew. All rows at once: one row's reduction is a chain of waiting.
HWY_INLINE bool RaiseMaxima(const float* x, int64_t stride, int64_t count,
                            float* HWY_RESTRICT max) {
  float raised[kRowGroup];
#pragma GCC unroll 8
  for (int r = 0; r < kRowGroup; ++r) raised[r] = MaxOf(x + r * stride, count, max[r]);
  bool any = false;
  for (int r = 0; r < kRowGroup; ++r) {
    any = any || raised[r] != max[r];
    max[r] = raised[r];
  }
  return any;
}

HWY_INLINE void ScaleRow(float* x, int64_t count, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i);
  }
  for (; i < count; ++i) x[i] *= factor;
}

// x = 2^(x - max); returns the sum.
HWY_INLINE float ExponentiateRow(float* x, int64_t count, float max) {
  const V shift = hn::Set(d, max);
  V sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V e = Exp2(hn::Sub(hn::LoadU(d, x + i), shift));
    hn::StoreU(e, d, x + i);
    sum = hn::Add(sum, e);
  }
  float result = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) {
    x[i] = hn::GetLane(Exp2(hn::Set(d, x[i] - max)));
    result += x[i];
  }
  return result;
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
