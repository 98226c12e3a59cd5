// SPDX-License-Identifier: Apache-2.0
// The conversion works on the bits of the float32, as F32ToF16 in core/tensor.cc does. A float16
// has 10 bits of mantissa where a float32 has 23, so 13 are cut off.
//   - Normal results: adding 0xFFF, and 1 more if the last bit that is kept is set, carries into
//     the kept bits exactly if the number rounds up (ties to even). A carry out of the mantissa
//     raises the exponent, which is right. Subtracting 0x38000000 changes the exponent's bias from
//     127 to 15.
//   - Magnitudes below 2^-14 become subnormal: multiples of 2^-24. Such a number times 2^24,
//     rounded to a whole number, is the float16's bits.
// Bits of non-negative floats compare as integers do, so the largest magnitude of all values tells
// whether each of them fits; infinity and NaN are larger than every number.
#include "ops/half.h"

#include <atomic>

#include "core/parallel.h"
#include "core/tensor.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/half.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr D d;
constexpr int64_t kLanes = hn::MaxLanes(d);

constexpr uint32_t kMagnitude = 0x7FFFFFFF;
// Bits of float32 magnitudes.
constexpr uint32_t kTooLarge = 0x477FF000;        // 65520, which rounds to infinity
constexpr uint32_t kSmallestNormal = 0x38800000;  // 2^-14

// out[i] = x[i] as float16, i < count. Returns whether all values fit; if not, the results of those
// that do not are undefined. Highway's own conversion is not used because it does not round ties to
// even on every instruction set.
bool ToF16(const float* HWY_RESTRICT x, int64_t count, uint16_t* HWY_RESTRICT out) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> d16;
  auto largest = hn::Zero(di);  // magnitude
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto bits = hn::BitCast(du, hn::LoadU(d, x + i));
    const auto magnitude = hn::And(bits, hn::Set(du, kMagnitude));
    largest = hn::Max(largest, hn::BitCast(di, magnitude));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
    const auto rounded = hn::Add(magnitude, hn::Add(odd, hn::Set(du, 0xFFF)));
    const auto normal = hn::ShiftRight<13>(hn::Sub(rounded, hn::Set(du, 0x38000000)));
    // In multiples of 2^-24.
    const auto small =
        hn::BitCast(du, hn::NearestInt(hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p24F))));
    const auto is_small =
        hn::Lt(hn::BitCast(di, magnitude), hn::Set(di, static_cast<int32_t>(kSmallestNormal)));
    const auto half = hn::IfThenElse(hn::RebindMask(du, is_small), small, normal);
    const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 0x8000));
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, hn::Or(sign, half))), d16, out + i);
  }
  auto fit = hn::GetLane(hn::MaxOfLanes(di, largest)) < static_cast<int32_t>(kTooLarge);
  for (; i < count; ++i) {
    out[i] = F32ToF16(x[i]);
    fit = fit && (out[i] & 0x7C00) != 0x7C00;
  }
  return fit;
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

constexpr size_t kGrain = 32;  // tokens that a thread takes at a time

HWY_EXPORT(ToF16);

}  // namespace

bool HeadsToF16(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
                const float* x, uint16_t* out) {
  const auto to_f16 = HWY_DYNAMIC_DISPATCH(ToF16);
  std::atomic<bool> fit{true};
  ParallelFor(static_cast<size_t>(tokens), kGrain, [&](size_t t) {
    const float* from = x + static_cast<int64_t>(t) * token_stride;
    for (int64_t h = 0; h < heads; ++h) {
      uint16_t* to = out + (h * tokens + static_cast<int64_t>(t)) * head_dim;
      if (!to_f16(from + h * head_dim, head_dim, to)) fit = false;
    }
  });
  return fit;
}

}  // namespace vggt
#endif  // HWY_ONCE
