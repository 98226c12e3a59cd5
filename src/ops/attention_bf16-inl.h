// SPDX-License-Identifier: Apache-2.0
// Vector code that the attention kernels in bfloat16 share. Highway compiles it once per
// instruction set.
//
// `Native` uses the two instructions of AVX512_BF16; `Emulated` does the same on any processor,
// with two fused multiply-adds in place of a product.
#if defined(VGGT_KERNELS_ATTENTION_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VGGT_KERNELS_ATTENTION_BF16_INL_H_
#undef VGGT_KERNELS_ATTENTION_BF16_INL_H_
#else
#define VGGT_KERNELS_ATTENTION_BF16_INL_H_
#endif

#include <type_traits>

#include "ops/attention_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// Two bfloat16 in 32 bits, the first one in the lower half: the unit of bfloat16 products.
using DU = hn::RebindToUnsigned<D>;
using VU = hn::Vec<DU>;
constexpr DU du;

// The upper half of each result is the bfloat16 nearest to x, ties to even. Not for NaN.
HWY_INLINE VU Rounded(V x) {
  const VU bits = hn::BitCast(du, x);
  const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  return hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
}

// The pairs (first[i], second[i]), rounded.
HWY_INLINE VU Zip(V first, V second) {
  return hn::Or(hn::ShiftRight<16>(Rounded(first)),
                hn::And(Rounded(second), hn::Set(du, 0xFFFF0000U)));
}

// Products of bfloat16 by the two instructions of AVX512_BF16. They are written in assembly because
// Highway's target for AVX-512 does not offer them; the assembler knows them whatever the target.
struct Native {
  using Value = uint32_t;
  static constexpr int64_t kPerValue = 2;
#if HWY_TARGET <= HWY_AVX3
  static HWY_INLINE V AddProduct(V sum, VU a, VU b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
    return sum;
  }
  static HWY_INLINE VU Join(V low, V high) {
    VU out;
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(out.raw) : "v"(low.raw), "v"(high.raw));
    return out;
  }
  static HWY_INLINE VU Load(const float* x, int64_t count) {
    return Join(LoadPart(x, count), LoadPart(x + kLanes, count - kLanes));
  }
  // The pairs (first[i], second[i]): the halves of Join, interleaved.
  static HWY_INLINE VU Interleave(V first, V second) {
    alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                        21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const VU order = hn::Load(du, reinterpret_cast<const uint32_t*>(kOrder));
    const VU joined = Join(first, second);
    VU out;
    asm("vpermw %1, %2, %0" : "=v"(out.raw) : "v"(joined.raw), "v"(order.raw));
    return out;
  }
#endif
};

// The same on any processor; sums may differ in their last bits.
struct Emulated {
  using Value = uint32_t;
  static constexpr int64_t kPerValue = 2;
  // Adds the product of the upper halves, then that of the lower halves.
  static HWY_INLINE V AddProduct(V sum, VU a, VU b) {
    const VU upper = hn::Set(du, 0xFFFF0000U);
    sum = hn::MulAdd(hn::BitCast(d, hn::And(a, upper)), hn::BitCast(d, hn::And(b, upper)), sum);
    return hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(a)), hn::BitCast(d, hn::ShiftLeft<16>(b)),
                      sum);
  }
  // The values of `low` and then those of `high` as bfloat16: pairs of neighbours.
  static HWY_INLINE VU Join(V low, V high) {
#if HWY_TARGET == HWY_SCALAR
    return Zip(low, high);
#else
    const hn::Repartition<uint16_t, D> d16;
    return hn::BitCast(
        du, hn::ConcatOdd(d16, hn::BitCast(d16, Rounded(high)), hn::BitCast(d16, Rounded(low))));
#endif
  }
  static HWY_INLINE VU Load(const float* x, int64_t count) {
    return Join(LoadPart(x, count), LoadPart(x + kLanes, count - kLanes));
  }
  static HWY_INLINE VU Interleave(V first, V second) { return Zip(first, second); }
};

// 2^x for x ≤ 0, and 2^-125 for x below -125. The relative error is below 1e-4, a fortieth of what
// rounding to bfloat16 may lose (2^-8). A polynomial of degree 3 on [-1/2, 1/2], fitted for the
// least relative error (7.5e-5), times a power of two.
HWY_INLINE V CoarseExp2(V x) {
  const Split split(hn::Max(x, hn::Set(d, -125.0F)));
  V p = hn::Set(d, 5.5171674e-2F);
  p = hn::MulAdd(p, split.rest, hn::Set(d, 2.4261114e-1F));
  p = hn::MulAdd(p, split.rest, hn::Set(d, 6.9326099e-1F));
  p = hn::MulAdd(p, split.rest, hn::Set(d, 9.9992807e-1F));
  return split.TimesPower(p);
}

// out[i] = x[i] · factor as bfloat16, i < count.
template <class Factors>
HWY_INLINE void RoundRow(const float* x, int64_t count, float factor, void* out) {
  constexpr int64_t kStep = 2 * kLanes;
  const V scale = hn::Set(d, factor);
  for (int64_t i = 0; i < count; i += kStep) {
    const int64_t taken = std::min(kStep, count - i);
    float copy[kStep] = {};
    uint32_t pairs[kLanes];
    if (taken < kStep) std::memcpy(copy, x + i, taken * sizeof(float));
    const float* from = taken < kStep ? copy : x + i;
    hn::StoreU(Factors::Join(hn::Mul(hn::LoadU(d, from), scale),
                             hn::Mul(hn::LoadU(d, from + kLanes), scale)),
               du, pairs);
    std::memcpy(static_cast<uint8_t*>(out) + i * sizeof(uint16_t), pairs, taken * sizeof(uint16_t));
  }
}

// What a processor that multiplies bfloat16 uses. Below AVX-512 there is no Native.
using BestFactors = std::conditional_t<HWY_TARGET <= HWY_AVX3, Native, Emulated>;

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
