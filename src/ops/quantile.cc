// SPDX-License-Identifier: Apache-2.0
#include "ops/quantile.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/quantile.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Writes those of a run that are in [least, most] to `out`, with room for kSlack more, and returns
// how many; adds those above to `above`. `out` may be the run itself: what is overwritten was read.
int64_t KeepBetween(const float* run, int64_t length, float least, float most, float* out,
                    int64_t& above) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, least), high = hn::Set(d, most);
  int64_t kept = 0, i = 0;
  for (; i + lanes <= length; i += lanes) {
    const auto values = hn::LoadU(d, run + i);
    const auto enough = hn::Ge(values, low);
    if (hn::AllFalse(d, enough)) continue;  // most vectors, where few values are wanted
    const auto over = hn::Gt(values, high);
    const auto wanted = hn::AndNot(over, enough);
    above += static_cast<int64_t>(hn::CountTrue(d, over));
    // Not CompressStore, which takes Zen 4 a hundred cycles.
    hn::StoreU(hn::Compress(values, wanted), d, out + kept);
    kept += static_cast<int64_t>(hn::CountTrue(d, wanted));
  }
  for (; i < length; ++i) {
    if (run[i] > most) ++above;
    if (run[i] >= least && run[i] <= most) out[kept++] = run[i];
  }
  return kept;
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(KeepBetween);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kSamples = 8192;
constexpr int64_t kSlack = 16;  // a vector of floats

// Safety margin between a rank in the sample and the rank among all values, as a share of their
// number. Neighbouring values are correlated, so this is three to four standard deviations of the
// rank's error.
constexpr double kMargin = 0.01;

// A sample of the values, in short runs from all over them: cheap to read.
std::vector<float> Sample(const StridedValues& values) {
  constexpr int64_t kTogether = 2;
  std::vector<float> sample;
  const int64_t count = values.count();
  const int64_t step = std::max<int64_t>(count / kSamples, 1) * kTogether;
  for (int64_t first = 0; first < count; first += step) {
    const int64_t in_run = first % values.length;
    const float* from = values.data + first / values.length * values.stride + in_run;
    sample.insert(sample.end(), from, from + std::min(kTogether, values.length - in_run));
  }
  return sample;
}

StridedValues AsRun(const std::vector<float>& values) {
  return {values.data(), 1, std::ssize(values), std::ssize(values)};
}

// About the value below which a share `q` of the sampled values lies; infinite if q is outside
// (0, 1). Reorders the sample.
float Estimate(std::vector<float>& sample, double q) {
  if (q <= 0) return -kInfinity;
  if (q >= 1) return kInfinity;
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(sample.size() - 1));
  std::nth_element(sample.begin(), sample.begin() + place, sample.end());
  return sample[place];
}

// The values in [least, most]; `above` becomes how many are larger.
std::vector<float> Between(const StridedValues& values, float least, float most, int64_t& above) {
  std::vector<float> kept(values.length + kSlack), all;
  above = 0;
  for (int64_t r = 0; r < values.runs; ++r) {
    const int64_t count = HWY_DYNAMIC_DISPATCH(KeepBetween)(
        values.data + r * values.stride, values.length, least, most, kept.data(), above);
    all.insert(all.end(), kept.begin(), kept.begin() + count);
  }
  return all;
}

// Some of the runs, the `part`-th of `parts` equal shares.
StridedValues PartOf(const StridedValues& values, int64_t part, int64_t parts) {
  const int64_t first = values.runs * part / parts, end = values.runs * (part + 1) / parts;
  return {values.data + first * values.stride, end - first, values.length, values.stride};
}

// The values of each group that are at least its entry of `least`. On all threads.
std::vector<std::vector<float>> AtLeast(std::span<const StridedValues> groups,
                                        std::span<const float> least) {
  constexpr int64_t kParts = 64;  // of a group: each takes some threads
  // One group of so few is done before other threads have been woken.
  constexpr int64_t kFew = 1 << 20;
  if (groups.size() == 1 && groups[0].count() < kFew) {
    int64_t above;
    return {Between(groups[0], least[0], kInfinity, above)};
  }
  std::vector<std::vector<float>> parts(groups.size() * kParts);
  ParallelFor(parts.size(), 1, [&](size_t i) {
    const auto part = static_cast<int64_t>(i);
    int64_t above;
    parts[i] = Between(PartOf(groups[part / kParts], part % kParts, kParts), least[part / kParts],
                       kInfinity, above);
  });
  std::vector<std::vector<float>> upper(groups.size());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    for (size_t i = g * kParts; i < (g + 1) * kParts; ++i) {
      upper[g].insert(upper[g].end(), parts[i].begin(), parts[i].end());
    }
  });
  return upper;
}

void DropBelow(std::vector<float>& values, float least) {
  int64_t above = 0;
  values.resize(HWY_DYNAMIC_DISPATCH(KeepBetween)(values.data(), std::ssize(values), least,
                                                  kInfinity, values.data(), above));
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

// The quantile of the values in `upper` and of `below` more that are smaller, below ≤ place.rank.
// Only what lies in a band around it, estimated from a sample, is put in order.
double Select(const std::vector<float>& upper, int64_t below, const Place& place) {
  const int64_t count = std::ssize(upper), rank = place.rank - below;
  const double share = static_cast<double>(rank) / static_cast<double>(count);
  std::vector<float> sample = Sample(AsRun(upper));
  const float least = Estimate(sample, share - 6 * kMargin);
  const float most = Estimate(sample, share + 6 * kMargin);
  int64_t larger = 0;
  std::vector<float> band = Between(AsRun(upper), least, most, larger);
  int64_t smaller = count - larger - std::ssize(band);
  const bool holds_both = smaller <= rank && std::min(rank + 1, count - 1) < count - larger;
  if (!holds_both) {  // the sample misled
    band = upper;
    smaller = 0;
  }
  const auto at = band.begin() + (rank - smaller);
  std::nth_element(band.begin(), at, band.end());
  const float a = *at;
  const float b = place.t > 0 ? *std::min_element(at + 1, band.end()) : a;
  // As NumPy interpolates: the difference in float32, the rest in double, from the nearer end.
  const float difference = b - a;
  return place.t < 0.5 ? a + difference * place.t : b - difference * (1 - place.t);
}

}  // namespace

double Quantile(const StridedValues& values, double q) {
  const int64_t count = values.count();
  if (count == 0) throw Error("a quantile of no values");
  const Place place(count, q);
  std::vector<float> sample = Sample(values);
  // Only what lies above an estimate is looked at closely; should the estimate be too high, a lower
  // one is tried, in the end all values.
  const auto at_least = [&](float least) { return AtLeast({&values, 1}, {&least, 1})[0]; };
  for (const double margin : {kMargin, 10 * kMargin}) {
    const std::vector<float> upper = at_least(Estimate(sample, q - margin));
    const int64_t below = count - std::ssize(upper);
    if (below <= place.rank) return Select(upper, below, place);
  }
  return Select(at_least(-kInfinity), 0, place);
}

GroupQuantiles::GroupQuantiles(int64_t total, double q, std::vector<float> sample)
    : total_(total), q_(q), wanted_(total - Place(total, q).rank) {
  bound_ = sample.empty() ? -kInfinity : Estimate(sample, q - kMargin);
}

std::vector<double> GroupQuantiles::Add(std::span<const StridedValues> groups) {
  std::vector<float> least(groups.size());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    if (groups[g].count() == 0) throw Error("a quantile of no values");
    std::vector<float> sample = Sample(groups[g]);
    least[g] = std::min(Estimate(sample, q_ - kMargin), bound_);
  });
  std::vector<std::vector<float>> upper = AtLeast(groups, least);
  std::vector<double> quantiles(groups.size());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    const Place place(groups[g].count(), q_);
    const int64_t below = groups[g].count() - std::ssize(upper[g]);
    quantiles[g] = below <= place.rank ? Select(upper[g], below, place) : Quantile(groups[g], q_);
    DropBelow(upper[g], bound_);
  });
  for (size_t g = 0; g < groups.size(); ++g) {
    added_ += groups[g].count();
    Keep(upper[g]);
  }
  return quantiles;
}

void GroupQuantiles::Keep(const std::vector<float>& upper) {
  upper_.insert(upper_.end(), upper.begin(), upper.end());
  if (std::ssize(upper_) > 2 * wanted_) RaiseBound();
}

// Drops what cannot be among the `wanted_` largest any more.
void GroupQuantiles::RaiseBound() {
  std::vector<float> sample = Sample(AsRun(upper_));
  const double share = 1.1 * static_cast<double>(wanted_) / static_cast<double>(upper_.size());
  const float bound = Estimate(sample, 1 - share);
  if (std::count_if(upper_.begin(), upper_.end(), [=](float v) { return v >= bound; }) < wanted_) {
    return;
  }
  bound_ = bound;
  DropBelow(upper_, bound);
}

std::optional<double> GroupQuantiles::OfAll() const {
  if (added_ != total_) throw Error("a quantile of other values than were announced");
  if (std::ssize(upper_) < wanted_) return std::nullopt;
  return Select(upper_, total_ - std::ssize(upper_), Place(total_, q_));
}

}  // namespace vggt
#endif  // HWY_ONCE
