// SPDX-License-Identifier: Apache-2.0
// Vector code that the attention kernels share. Highway compiles it once per instruction set.
//
// Multiply() is the inner product of all of them. It computes 6 rows (kRowGroup) by kVectors
// vectors of columns, and keeps these sums in registers for the whole depth. At each depth it loads
// kVectors vectors of b and multiplies them by one value of each row of a, so that each loaded
// vector is used six times.
//
// For q · k the columns are keys. A vector must then hold the same channel of neighbouring keys,
// while in memory the channels of one key are neighbours. PackKeys() transposes them once per call
// into tiles [head_dim, kTile]. A tile takes 16 KB with AVX-512 and 4 KB with AVX2 at head_dim 64:
// it fits into the first-level cache. So each lane has the logit of one key, and no product is
// summed across lanes.
//
// For probabilities · values the columns are channels, which are neighbours already. AddProduct()
// takes 64 keys by at most kVectors vectors of channels (16 KB with AVX-512) for all rows before it
// goes on, so that they are read from the first-level cache.
//
// Exp2() splits x into a whole number and a rest in [-1/2, 1/2]. A polynomial gives 2^rest; the
// whole number is added to the exponent bits of that float.
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
// Multiply() keeps 6 · kVectors vectors of sums in registers: 24 of AVX-512's 32, or 12 of AVX2's
// 16. Without vectors kVectors is 4 because PackKeys() takes four keys at a time.
using at::kRowGroup;
constexpr int kVectors = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_SCALAR ? 4 : 2;
constexpr int64_t kTile = kVectors * kLanes;  // keys side by side in a packed tile
static_assert(at::kRows % kRowGroup == 0 && at::kKeys % kTile == 0 && at::kKeyPadding % kTile == 0);

// The first `count` values of x in a vector, followed by zeros; `count` may be negative.
HWY_INLINE V LoadPart(const float* x, int64_t count) {
  if (count >= kLanes) return hn::LoadU(d, x);
  float copy[kLanes] = {};
  if (count > 0) std::memcpy(copy, x, count * sizeof(float));
  return hn::LoadU(d, copy);
}

// What the template parameter Factors stands for: the type of the values that are multiplied, how
// many channels one of them holds, how it is loaded and multiplied. Floats holds one float;
// attention_bf16.cc has pairs of bfloat16.
struct Floats {
  using Value = float;
  static constexpr int64_t kPerValue = 1;
  static HWY_INLINE V Load(const float* x, int64_t count) { return LoadPart(x, count); }
  static HWY_INLINE V AddProduct(V sum, V a, V b) { return hn::MulAdd(a, b, sum); }
};

// c = a · b, or c += a · b if `accumulate`: a [kRowGroup, depth], b [depth, kCols vectors],
// c [kRowGroup, kCols vectors]. Strides are between rows.
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

// c [rows, cols] += a [rows, depth] · b [depth, cols]; `rows` is a multiple of kRowGroup, `cols` of
// kLanes.
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

// Transposes kWidth keys of one head into a tile [depth, kWidth]. A key is head_dim floats,
// `stride` floats after the one before. Only `count` keys exist; the rest of the tile is zeros.
template <class Factors, int64_t kWidth = kTile>
void PackKeys(const float* keys, int64_t stride, int64_t count, int64_t head_dim, int64_t depth,
              typename Factors::Value* HWY_RESTRICT tile) {
  using Value = typename Factors::Value;
  const hn::ScalableTag<Value> df;
  Value turned[4 * kLanes];
  for (int64_t t = 0; t < kWidth; t += 4) {
    for (int64_t i = 0; i < depth; i += kLanes) {
      hn::Vec<decltype(df)> rows[4];
      for (int64_t r = 0; r < 4; ++r) {
        const int64_t c = i * Factors::kPerValue;
        rows[r] =
            t + r < count ? Factors::Load(keys + (t + r) * stride + c, head_dim - c) : hn::Zero(df);
      }
      hn::StoreInterleaved4(rows[0], rows[1], rows[2], rows[3], df, turned);
      for (int64_t j = 0; j < std::min(kLanes, depth - i); ++j) {
        std::memcpy(tile + (i + j) * kWidth + t, turned + 4 * j, 4 * sizeof(Value));
      }
    }
  }
}

// Splits x · factor = whole + rest for -125 ≤ x · factor ≤ 0, |rest| ≤ 1/2; the factor is 1 if none
// is given. The float x + 1.5 · 2^23 has no fractional bits: the addition rounds x to a whole
// number and leaves it in the lowest bits.
struct Split {
  explicit HWY_INLINE Split(V x)
      : shifted(hn::Add(x, hn::Set(d, 0x1.8p23F))),
        rest(hn::Sub(x, hn::Sub(shifted, hn::Set(d, 0x1.8p23F)))) {}
  HWY_INLINE Split(V x, V factor)
      : shifted(hn::MulAdd(x, factor, hn::Set(d, 0x1.8p23F))),
        rest(hn::MulSub(x, factor, hn::Sub(shifted, hn::Set(d, 0x1.8p23F)))) {}
  // p · 2^whole for p in [1/2, 2): `whole` is added to the exponent bits of p.
  HWY_INLINE V TimesPower(V p) const {
    const hn::RebindToUnsigned<D> du;
    const auto exponent = hn::ShiftLeft<23>(hn::BitCast(du, shifted));
    return hn::BitCast(d, hn::Add(hn::BitCast(du, p), exponent));
  }
  V shifted, rest;
};

// 2^x for x ≤ 0, and 2^-125 for x below -125. The relative error is below 2e-7. A polynomial of
// degree 6 on [-1/2, 1/2], fitted for the least relative error (3e-9, before float32 rounds), times
// a power of two.
HWY_INLINE V Exp2(const Split& split) {
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

HWY_INLINE V Exp2(V x) { return Exp2(Split(hn::Max(x, hn::Set(d, -125.0F)))); }

// e^x for x ≤ 0, and 2^-125 for x below ln 2^-125.
HWY_INLINE V Exp(V x) {
  constexpr float kLog2E = 1.44269504F, kLeast = -86.6433976F;
  return Exp2(Split(hn::Max(x, hn::Set(d, kLeast)), hn::Set(d, kLog2E)));
}

// The largest of x[0 … count) and `start`.
HWY_INLINE float MaxOf(const float* x, int64_t count, float start) {
  constexpr int64_t kTogether = 4;  // since each maximum waits for the one before
  V max[kTogether];
  for (V& each : max) each = hn::Set(d, start);
  int64_t i = 0;
  for (; i + kTogether * kLanes <= count; i += kTogether * kLanes) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < kTogether; ++v) {
      max[v] = hn::Max(max[v], hn::LoadU(d, x + i + v * kLanes));
    }
  }
  for (; i + kLanes <= count; i += kLanes) max[0] = hn::Max(max[0], hn::LoadU(d, x + i));
  float result =
      hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(max[0], max[1]), hn::Max(max[2], max[3]))));
  for (; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

// Raises max[r] to the maximum of row r where that is larger, for kRowGroup rows. Returns whether
// any was raised. The loop over rows is unrolled because the operations of one reduction wait for
// each other, but not for those of another row.
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

// x[i] = 2^(x[i] - max), i < count; returns their sum.
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
