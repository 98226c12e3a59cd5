// SPDX-License-Identifier: Apache-2.0
// One row of attention is one query by all keys. Each key is used once, so the time goes to reading
// keys from memory, and nothing is packed or blocked: keys are read as they are stored, converted
// to float32 in registers, and multiplied with a fused multiply-add. A product sums in the lanes of
// a vector and then across them; the two halves of a key have a vector of sums each, so that
// neither waits for the other. Channels that fill no vector are added one by one.
//
// The exponential is Exp2 of attention_simd-inl.h. A row may have many thousand keys, so its sum is
// a double that takes up float32 sums of 128 vectors each.
#include "ops/half_rows.h"

#include <algorithm>
#include <cmath>

#include "core/tensor.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/half_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/attention_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

constexpr float kLog2E = 1.44269504F;

// sum += x · key, lane by lane, over as many whole vectors of DF as fit into `dim` values. Returns
// how many values these are.
template <class DF>
HWY_INLINE int64_t AddDot(DF df, const float* HWY_RESTRICT x, const uint16_t* HWY_RESTRICT key,
                          int64_t dim, hn::Vec<DF>& sum) {
  const hn::Rebind<hwy::float16_t, DF> dh;
  constexpr auto kCount = static_cast<int64_t>(hn::MaxLanes(DF()));
  int64_t c = 0;
  for (; c + kCount <= dim; c += kCount) {
    const auto half = hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(key + c));
    sum = hn::MulAdd(hn::LoadU(df, x + c), hn::PromoteTo(df, half), sum);
  }
  return c;
}

// x · key over the channels [begin, dim).
float RestOfDot(const float* x, const uint16_t* key, int64_t begin, int64_t dim) {
  float sum = 0;
  for (int64_t c = begin; c < dim; ++c) sum += x[c] * F16ToF32(key[c]);
  return sum;
}

// DotHalves with vectors of DF.
template <class DF>
void DotHalvesBy(DF df, const float* first, int64_t first_dim, const float* second,
                 int64_t second_dim, int64_t second_stride, const uint16_t* keys, int64_t count,
                 float* out) {
  for (int64_t i = 0; i < count; ++i) {
    auto sum = hn::Zero(df), other = hn::Zero(df);
    const int64_t a = AddDot(df, first, keys, first_dim, sum);
    const int64_t b = AddDot(df, second, keys + first_dim, second_dim, other);
    float total = hn::GetLane(hn::SumOfLanes(df, hn::Add(sum, other)));
    if (a < first_dim) total += RestOfDot(first, keys, a, first_dim);
    if (b < second_dim) total += RestOfDot(second, keys + first_dim, b, second_dim);
    out[i] = total;
    keys += first_dim + second_dim;
    second += second_stride;
  }
}

void DotHalves(const float* first, int64_t first_dim, const float* second, int64_t second_dim,
               int64_t second_stride, const uint16_t* keys, int64_t count, float* out) {
  // Halves narrower than the widest vector take vectors of at most 8 floats.
  if (std::min(first_dim, second_dim) >= kLanes) {
    DotHalvesBy(d, first, first_dim, second, second_dim, second_stride, keys, count, out);
  } else {
    DotHalvesBy(hn::CappedTag<float, 8>(), first, first_dim, second, second_dim, second_stride,
                keys, count, out);
  }
}

// Where the processor does not convert, Highway takes infinity and NaN for finite numbers.
constexpr bool kConvertsHalves = HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SSSE3 &&
                                 HWY_TARGET != HWY_SSE4 && HWY_TARGET != HWY_SCALAR;

void FromHalves(const uint16_t* x, int64_t count, float* out) {
  int64_t i = 0;
  if constexpr (kConvertsHalves) {
    const hn::Rebind<hwy::float16_t, D> dh;
    for (; i + kLanes <= count; i += kLanes) {
      const auto half = hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(x + i));
      hn::StoreU(hn::PromoteTo(d, half), d, out + i);
    }
  }
  for (; i < count; ++i) out[i] = F16ToF32(x[i]);
}

void SquaredNorms(const uint16_t* keys, int64_t count, int64_t dim, float* out) {
  const hn::Rebind<hwy::float16_t, D> dh;
  for (int64_t i = 0; i < count; ++i, keys += dim) {
    V sum = hn::Zero(d);
    int64_t c = 0;
    for (; c + kLanes <= dim; c += kLanes) {
      const V x =
          hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(keys + c)));
      sum = hn::MulAdd(x, x, sum);
    }
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; c < dim; ++c) total += F16ToF32(keys[c]) * F16ToF32(keys[c]);
    out[i] = total;
  }
}

float LargestOf(const float* x, int64_t count, float least) { return MaxOf(x, count, least); }

// 0 · x is 0 for a finite x and NaN otherwise, and a sum that has a NaN in it is NaN.
bool RowIsFinite(const float* x, int64_t count) {
  V sum = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kLanes) {
    sum = hn::MulAdd(LoadPart(x + i, count - i), hn::Zero(d), sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) == 0;
}

double Exponentiate(float* x, int64_t count, float shift) {
  // The difference is taken before the product with log2(e): large logits keep their digits.
  const V shifts = hn::Set(d, shift), scale = hn::Set(d, kLog2E);
  double total = 0;
  int64_t i = 0;
  while (i + kLanes <= count) {
    // At most 128 values a lane in float32; their sum is added in double.
    const int64_t end = std::min(count, i + 128 * kLanes);
    V sum = hn::Zero(d);
    for (; i + kLanes <= end; i += kLanes) {
      const V e = Exp2(hn::Mul(hn::Sub(hn::LoadU(d, x + i), shifts), scale));
      hn::StoreU(e, d, x + i);
      sum = hn::Add(sum, e);
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  for (; i < count; ++i) {
    x[i] = hn::GetLane(Exp2(hn::Set(d, (x[i] - shift) * kLog2E)));
    total += x[i];
  }
  return total;
}

void ExponentiateEach(float* x, const float* shifts, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const V value = hn::Sub(LoadPart(x + i, left), LoadPart(shifts + i, left));
    float parts[kLanes];
    hn::StoreU(Exp2(hn::Mul(value, hn::Set(d, kLog2E))), d, parts);
    std::memcpy(x + i, parts, std::min(left, kLanes) * sizeof(float));
  }
}

void AddScaled(const float* x, int64_t count, float factor, float* out) {
  const V factors = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, x + i), factors, hn::LoadU(d, out + i)), d, out + i);
  }
  for (; i < count; ++i) out[i] = std::fma(x[i], factor, out[i]);
}

void TakeLarger(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = std::max(out[i], x[i]);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(DotHalves);
HWY_EXPORT(FromHalves);
HWY_EXPORT(SquaredNorms);
HWY_EXPORT(LargestOf);
HWY_EXPORT(RowIsFinite);
HWY_EXPORT(Exponentiate);
HWY_EXPORT(ExponentiateEach);
HWY_EXPORT(AddScaled);
HWY_EXPORT(TakeLarger);

}  // namespace

void DotHalves(const float* first, int64_t first_dim, const float* second, int64_t second_dim,
               int64_t second_stride, const uint16_t* keys, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(DotHalves)
  (first, first_dim, second, second_dim, second_stride, keys, count, out);
}

void FromHalves(const uint16_t* x, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(FromHalves)(x, count, out);
}

void SquaredNorms(const uint16_t* keys, int64_t count, int64_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(SquaredNorms)(keys, count, dim, out);
}

float LargestOf(const float* x, int64_t count, float least) {
  return HWY_DYNAMIC_DISPATCH(LargestOf)(x, count, least);
}

bool RowIsFinite(const float* x, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(RowIsFinite)(x, count);
}

double Exponentiate(float* x, int64_t count, float shift) {
  return HWY_DYNAMIC_DISPATCH(Exponentiate)(x, count, shift);
}

void ExponentiateEach(float* x, const float* shifts, int64_t count) {
  HWY_DYNAMIC_DISPATCH(ExponentiateEach)(x, shifts, count);
}

void AddScaled(const float* x, int64_t count, float factor, float* out) {
  HWY_DYNAMIC_DISPATCH(AddScaled)(x, count, factor, out);
}

void TakeLarger(const float* x, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(TakeLarger)(x, count, out);
}

}  // namespace vggt
#endif  // HWY_ONCE
