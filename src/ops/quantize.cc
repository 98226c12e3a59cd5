// SPDX-License-Identifier: Apache-2.0
#include "ops/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/quantize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
void Step(D d, const float* x, float scale, uint8_t* out) {
  // NumPy divides; multiplying by the reciprocal would differ in the last bit.
  const auto share = hn::Div(hn::LoadU(d, x), hn::Set(d, scale));
  const auto clipped = hn::Min(hn::Max(share, hn::Zero(d)), hn::Set(d, 1.0F));
  const auto level = hn::Add(hn::Mul(clipped, hn::Set(d, 255.0F)), hn::Set(d, 0.5F));
  const hn::Rebind<uint8_t, D> bytes;
  hn::StoreU(hn::DemoteTo(bytes, hn::ConvertTo(hn::RebindToSigned<D>(), level)), bytes, out);
}

void QuantizeRow(const float* x, int64_t count, float scale, uint8_t* out) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) Step(d, x + i, scale, out + i);
  for (; i < count; ++i) Step(one, x + i, scale, out + i);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {

HWY_EXPORT(QuantizeRow);

void Quantize(const float* x, int64_t count, double vmax, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(QuantizeRow)(x, count, static_cast<float>(vmax + 1e-8), out);
}

}  // namespace vggt
#endif  // HWY_ONCE
