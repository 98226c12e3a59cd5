// SPDX-License-Identifier: Apache-2.0
#include "artifact/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "artifact/quantile.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Appends the values of a run that are at least `least`.
void Collect(const float* run, int64_t length, float least, std::vector<float>& out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto bound = hn::Set(d, least);
  constexpr int64_t kPiece = 1024;
  HWY_ALIGN float kept[kPiece + hn::MaxLanes(d)];
  int64_t i = 0;
  while (i + lanes <= length) {
    size_t count = 0;
    for (const int64_t end = std::min(i + kPiece, length - lanes + 1); i < end; i += lanes) {
      const auto values = hn::LoadU(d, run + i);
      count += hn::CompressBlendedStore(values, hn::Ge(values, bound), d, kept + count);
    }
    out.insert(out.end(), kept, kept + count);
  }
  for (; i < length; ++i) {
    if (run[i] >= least) out.push_back(run[i]);
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(Collect);

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// About the value below which a share `q` of the values lies, judged by a few thousand of them.
float Estimate(const StridedValues& values, double q) {
  if (q <= 0) return kLowest;
  constexpr int64_t kSamples = 20'000;
  const int64_t step = std::max<int64_t>(values.count() / kSamples, 1);
  std::vector<float> sample;
  for (int64_t i = 0; i < values.count(); i += step) {
    sample.push_back(values.data[i / values.length * values.stride + i % values.length]);
  }
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(sample.size() - 1));
  std::nth_element(sample.begin(), sample.begin() + place, sample.end());
  return sample[place];
}

}  // namespace

double Quantile(const StridedValues& values, double q) {
  const int64_t count = values.count();
  if (count == 0) throw Error("a quantile of no values");
  const double place = q * static_cast<double>(count - 1);
  const auto rank = static_cast<int64_t>(place);
  const double t = place - static_cast<double>(rank);

  // Only what lies above an estimate is looked at closely; should the estimate be too high, a lower
  // one is tried, in the end all values.
  std::vector<float> upper;
  int64_t below = 0;
  for (const double margin : {0.01, 0.1, 1.0}) {
    const float least = Estimate(values, q - margin);
    upper.clear();
    for (int64_t r = 0; r < values.runs; ++r) {
      HWY_DYNAMIC_DISPATCH(Collect)(values.data + r * values.stride, values.length, least, upper);
    }
    below = count - static_cast<int64_t>(upper.size());
    if (below <= rank) break;
  }
  const auto at = upper.begin() + (rank - below);
  std::nth_element(upper.begin(), at, upper.end());
  const float a = *at;
  const float b = t > 0 ? *std::min_element(at + 1, upper.end()) : a;
  // As NumPy interpolates: the difference in float32, the rest in double, from the nearer end.
  const float difference = b - a;
  return t < 0.5 ? a + difference * t : b - difference * (1 - t);
}

}  // namespace vggt
#endif  // HWY_ONCE
