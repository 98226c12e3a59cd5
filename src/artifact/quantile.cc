// SPDX-License-Identifier: Apache-2.0
#include "artifact/quantile.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"

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

// A sample of the values, in short runs from all over them: cheap to read.
void Sample(const StridedValues& values, std::vector<float>& out) {
  constexpr int64_t kSamples = 20'000, kTogether = 16;
  const int64_t count = values.count();
  const int64_t step = std::max<int64_t>(count / kSamples, 1) * kTogether;
  for (int64_t first = 0; first < count; first += step) {
    const int64_t in_run = first % values.length;
    const float* from = values.data + first / values.length * values.stride + in_run;
    out.insert(out.end(), from, from + std::min(kTogether, values.length - in_run));
  }
}

// About the value below which a share `q` of the sampled values lies. Reorders them.
float Estimate(std::vector<float>& sample, double q) {
  if (q <= 0) return kLowest;
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(sample.size() - 1));
  std::nth_element(sample.begin(), sample.begin() + place, sample.end());
  return sample[place];
}

// Where the quantile of `count` values stands between two of them, in ascending order.
struct Place {
  Place(int64_t count, double q) {
    const double place = q * static_cast<double>(count - 1);
    rank = static_cast<int64_t>(place);
    t = place - static_cast<double>(rank);
  }
  int64_t rank;
  double t;
};

// The quantile of values of which `below` are smaller than all in `upper`; below ≤ place.rank.
// Reorders `upper`.
double Interpolate(std::vector<float>& upper, int64_t below, const Place& place) {
  const auto at = upper.begin() + (place.rank - below);
  std::nth_element(upper.begin(), at, upper.end());
  const float a = *at;
  const float b = place.t > 0 ? *std::min_element(at + 1, upper.end()) : a;
  // As NumPy interpolates: the difference in float32, the rest in double, from the nearer end.
  const float difference = b - a;
  return place.t < 0.5 ? a + difference * place.t : b - difference * (1 - place.t);
}

}  // namespace

double Quantile(const StridedValues& values, double q) {
  const int64_t count = values.count();
  if (count == 0) throw Error("a quantile of no values");
  const Place place(count, q);
  std::vector<float> sample;
  Sample(values, sample);
  // Only what lies above an estimate is looked at closely; should the estimate be too high, a lower
  // one is tried, in the end all values.
  std::vector<float> upper;
  for (const double margin : {0.005, 0.05, 1.0}) {
    const float least = Estimate(sample, q - margin);
    upper.clear();
    for (int64_t r = 0; r < values.runs; ++r) {
      HWY_DYNAMIC_DISPATCH(Collect)(values.data + r * values.stride, values.length, least, upper);
    }
    if (count - static_cast<int64_t>(upper.size()) <= place.rank) break;
  }
  return Interpolate(upper, count - static_cast<int64_t>(upper.size()), place);
}

GroupQuantiles QuantilesOfGroups(const float* data, int64_t runs, int64_t groups, int64_t length,
                                 double q) {
  const int64_t stride = groups * length;
  const auto group_values = [&](int64_t g) {
    return StridedValues{data + g * length, runs, length, stride};
  };
  std::vector<std::vector<float>> samples(groups);
  ParallelFor(groups, 1, [&](size_t g) { Sample(group_values(g), samples[g]); });
  std::vector<float> all;
  for (const auto& sample : samples) all.insert(all.end(), sample.begin(), sample.end());
  constexpr double kMargin = 0.005;
  const float least_of_all = Estimate(all, q - kMargin);
  std::vector<float> least(groups);
  ParallelFor(groups, 1, [&](size_t g) {
    least[g] = std::min(Estimate(samples[g], q - kMargin), least_of_all);
  });

  // What may lie above the group's quantile or that of all values, by group and by piece of runs.
  constexpr int64_t kRuns = 32;
  const int64_t pieces = (runs + kRuns - 1) / kRuns;
  std::vector<std::vector<float>> kept(groups * pieces);
  ParallelFor(groups * pieces, 1, [&](size_t i) {
    const int64_t group = static_cast<int64_t>(i) % groups,
                  piece = static_cast<int64_t>(i) / groups;
    for (int64_t r = piece * kRuns; r < std::min(runs, (piece + 1) * kRuns); ++r) {
      HWY_DYNAMIC_DISPATCH(Collect)
      (data + r * stride + group * length, length, least[group], kept[i]);
    }
  });

  // Task 0 is the longest: all values together.
  GroupQuantiles quantiles;
  quantiles.each.resize(groups);
  ParallelFor(groups + 1, 1, [&](size_t task) {
    const bool together = task == 0;
    const float bound = together ? least_of_all : least[task - 1];
    const StridedValues values =
        together ? StridedValues{data, runs, stride, stride} : group_values(task - 1);
    std::vector<float> upper;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (!together && i % groups != task - 1) continue;
      std::copy_if(kept[i].begin(), kept[i].end(), std::back_inserter(upper),
                   [bound](float value) { return value >= bound; });
    }
    const Place place(values.count(), q);
    const int64_t below = values.count() - static_cast<int64_t>(upper.size());
    double& out = together ? quantiles.all : quantiles.each[task - 1];
    out = below <= place.rank ? Interpolate(upper, below, place) : Quantile(values, q);
  });
  return quantiles;
}

}  // namespace vggt
#endif  // HWY_ONCE
