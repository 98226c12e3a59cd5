// SPDX-License-Identifier: Apache-2.0
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
constexpr uint32_t kTooLarge = 0x477FF000;        // 65520, of float32 magnitudes as integers
constexpr uint32_t kSmallestNormal = 0x38800000;  // 2^-14

// The same arithmetic as F32ToF16, which only NaN and infinity pass through in another way:
// Highway's own conversion does not round to even on every instruction set. Returns whether all
// values fit.
bool ToF16(const float* HWY_RESTRICT x, int64_t count, uint16_t* HWY_RESTRICT out) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> d16;
  auto largest = hn::Zero(di);  // of magnitudes, which are not negative
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto bits = hn::BitCast(du, hn::LoadU(d, x + i));
    const auto magnitude = hn::And(bits, hn::Set(du, kMagnitude));
    largest = hn::Max(largest, hn::BitCast(di, magnitude));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
    const auto rounded = hn::Add(magnitude, hn::Add(odd, hn::Set(du, 0xFFF)));
    const auto normal = hn::ShiftRight<13>(hn::Sub(rounded, hn::Set(du, 0x38000000)));
    // A multiple of 2^-24.
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

constexpr size_t kGrain = 32;  // tokens a thread takes at a time

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
