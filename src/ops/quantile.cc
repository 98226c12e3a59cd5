// SPDX-License-Identifier: Apache-2.0
#include "ops/quantile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
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

constexpr int kBinShift = 17;

// Writes those of a run that are at least `least` to `out`, with room for kSlack more, and returns
// how many. `out` may be the run itself: what is overwritten was read.
int64_t KeepAtLeast(const float* run, int64_t length, float least, float* out) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, least);
  int64_t kept = 0, i = 0;
  for (; i + lanes <= length; i += lanes) {
    const auto values = hn::LoadU(d, run + i);
    const auto wanted = hn::Ge(values, low);
    if (hn::AllFalse(d, wanted)) continue;  // most vectors, where few values are wanted
    // Not CompressStore, which takes Zen 4 a hundred cycles.
    hn::StoreU(hn::Compress(values, wanted), d, out + kept);
    kept += static_cast<int64_t>(hn::CountTrue(d, wanted));
  }
  for (; i < length; ++i) {
    if (run[i] >= least) out[kept++] = run[i];
  }
  return kept;
}

// A number for each float, larger for a larger one.
uint32_t OrderedBits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000U;
}

// Adds the maxima of disjoint blocks of a run to a histogram of OrderedBits, without their last
// kBinShift bits. A block is a lane of at most `block` vectors; of the last values, less than a
// vector, each is one.
void CountMaxima(const float* run, int64_t length, int64_t block, int64_t* histogram) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> d_signed;
  const hn::RebindToUnsigned<decltype(d)> d_bits;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto sign = hn::Set(d_bits, 0x80000000U);
  HWY_ALIGN uint32_t bins[HWY_MAX_BYTES / sizeof(uint32_t)];
  int64_t i = 0;
  while (i + lanes <= length) {
    const int64_t end = std::min(i + block * lanes, length);
    auto most = hn::LoadU(d, run + i);
    for (i += lanes; i + lanes <= end; i += lanes) most = hn::Max(most, hn::LoadU(d, run + i));
    // Of negative ones all bits change, of the others the sign.
    const auto bits = hn::BitCast(d_bits, most);
    const auto negative = hn::BitCast(d_bits, hn::BroadcastSignBit(hn::BitCast(d_signed, bits)));
    hn::Store(hn::ShiftRight<kBinShift>(hn::Xor(bits, hn::Or(negative, sign))), d_bits, bins);
    for (int64_t lane = 0; lane < lanes; ++lane) ++histogram[bins[lane]];
  }
  for (; i < length; ++i) ++histogram[OrderedBits(run[i]) >> kBinShift];
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using HWY_NAMESPACE::kBinShift;
using HWY_NAMESPACE::OrderedBits;
HWY_EXPORT(CountMaxima);
HWY_EXPORT(KeepAtLeast);

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kSlack = 16;  // a vector of floats

float FromOrderedBits(uint32_t bits) {
  return std::bit_cast<float>(bits >> 31 != 0 ? bits & 0x7FFFFFFFU : ~bits);
}

// How many values begin with the same bits, sign, exponent and 6 of the fraction, in ascending
// order: those of a bin differ by at most a 64th.
using Histogram = std::vector<int64_t>;
constexpr uint32_t kLastBin = UINT32_MAX >> kBinShift;
Histogram EmptyHistogram() { return Histogram(kLastBin + 1); }

void AddTo(const Histogram& more, Histogram& sum) {
  for (size_t bin = 0; bin < sum.size(); ++bin) sum[bin] += more[bin];
}

// The bin that holds the `wanted`-th largest value; the first one if there are fewer values.
uint32_t BinOf(const Histogram& histogram, int64_t wanted) {
  size_t bin = histogram.size();
  while (bin > 0 && wanted > 0) wanted -= histogram[--bin];
  return static_cast<uint32_t>(bin);
}

// The smallest value that may be in a bin.
float BeginOf(uint32_t bin) {
  const float begin = FromOrderedBits(bin << kBinShift);
  return std::isnan(begin) ? -kInfinity : begin;
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

// The quantile of `count` values, of which `upper` holds the largest and all of `bin`, where the
// lower one of the two lies between which it stands.
double Select(std::vector<float> upper, uint32_t bin, int64_t count, double q) {
  const Place place(count, q);
  const auto bin_end = std::partition(upper.begin(), upper.end(), [bin](float value) {
    return OrderedBits(value) >> kBinShift <= bin;
  });
  const auto at = upper.end() - (count - place.rank);
  std::nth_element(upper.begin(), at, bin_end);
  const float a = *at;
  const bool has_both = at + 1 < bin_end;
  const float b = place.t == 0 ? a : *std::min_element(at + 1, has_both ? bin_end : upper.end());
  // As NumPy interpolates: the difference in float32, the rest in double, from the nearer end.
  const float difference = b - a;
  return place.t < 0.5 ? a + difference * place.t : b - difference * (1 - place.t);
}

// Some of the runs, the `part`-th of `parts` equal shares.
StridedValues PartOf(const StridedValues& values, int64_t part, int64_t parts) {
  const int64_t first = values.runs * part / parts, end = values.runs * (part + 1) / parts;
  return {values.data + first * values.stride, end - first, values.length, values.stride};
}

// Into how many parts a group is cut, each of which takes some threads.
int64_t Parts(std::span<const StridedValues> groups) {
  // One group of so few is done before other threads have been woken.
  constexpr int64_t kFew = 1 << 20;
  if (groups.size() == 1 && groups[0].count() < kFew) return 1;
  return 4 * ThreadCount() / std::ssize(groups) + 1;
}

// Of the maxima of blocks of each group, at least twice `wanted` if `count` values have so many:
// the `wanted`-th largest of them is no larger than that of the values, and not much smaller,
// unless the large ones are neighbours.
std::vector<Histogram> MaximaOf(std::span<const StridedValues> groups, int64_t count,
                                int64_t wanted) {
  const int64_t block = std::clamp<int64_t>(count / (2 * wanted), 1, 32);
  const int64_t parts = Parts(groups);
  std::vector<Histogram> counted(groups.size() * parts, EmptyHistogram());
  ParallelFor(counted.size(), 1, [&](size_t i) {
    const auto part = static_cast<int64_t>(i);
    const StridedValues values = PartOf(groups[part / parts], part % parts, parts);
    for (int64_t r = 0; r < values.runs; ++r) {
      HWY_DYNAMIC_DISPATCH(CountMaxima)
      (values.data + r * values.stride, values.length, block, counted[i].data());
    }
  });
  std::vector<Histogram> sums(groups.size(), EmptyHistogram());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    for (int64_t i = 0; i < parts; ++i) AddTo(counted[g * parts + i], sums[g]);
  });
  return sums;
}

// The values of each group that are at least its entry of `least`.
std::vector<std::vector<float>> AtLeast(std::span<const StridedValues> groups,
                                        std::span<const float> least) {
  const int64_t parts = Parts(groups);
  std::vector<std::vector<float>> kept(groups.size() * parts);
  ParallelFor(kept.size(), 1, [&](size_t i) {
    const auto part = static_cast<int64_t>(i);
    const StridedValues values = PartOf(groups[part / parts], part % parts, parts);
    std::vector<float> of_run(values.length + kSlack);
    for (int64_t r = 0; r < values.runs; ++r) {
      const int64_t count = HWY_DYNAMIC_DISPATCH(KeepAtLeast)(
          values.data + r * values.stride, values.length, least[part / parts], of_run.data());
      kept[i].insert(kept[i].end(), of_run.begin(), of_run.begin() + count);
    }
  });
  std::vector<std::vector<float>> of_groups(groups.size());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    for (int64_t i = 0; i < parts; ++i) {
      const std::vector<float>& some = kept[g * parts + i];
      of_groups[g].insert(of_groups[g].end(), some.begin(), some.end());
    }
  });
  return of_groups;
}

void DropBelow(std::vector<float>& values, float least) {
  values.resize(
      HWY_DYNAMIC_DISPATCH(KeepAtLeast)(values.data(), std::ssize(values), least, values.data()));
}

Histogram HistogramOf(const std::vector<float>& values) {
  Histogram histogram = EmptyHistogram();
  HWY_DYNAMIC_DISPATCH(CountMaxima)(values.data(), std::ssize(values), 1, histogram.data());
  return histogram;
}

// How many of the largest of `count` values decide the quantile.
int64_t Wanted(int64_t count, double q) {
  if (count == 0) throw Error("a quantile of no values");
  return count - Place(count, q).rank;
}

}  // namespace

double Quantile(const StridedValues& values, double q) {
  constexpr int64_t kSmall = 1 << 14;  // to order all is as quick as to clear a histogram
  const int64_t count = values.count(), wanted = Wanted(count, q);
  const bool is_small = count < kSmall;
  const float least =
      is_small ? -kInfinity : BeginOf(BinOf(MaximaOf({&values, 1}, count, wanted)[0], wanted));
  std::vector<float> upper = std::move(AtLeast({&values, 1}, {&least, 1})[0]);
  const uint32_t bin = is_small ? kLastBin : BinOf(HistogramOf(upper), wanted);
  return Select(std::move(upper), bin, count, q);
}

GroupQuantiles::GroupQuantiles(int64_t total, double q)
    : total_(total), q_(q), wanted_(Wanted(total, q)), histogram_(EmptyHistogram()) {}

std::vector<double> GroupQuantiles::Add(std::span<const StridedValues> groups) {
  const bool is_first = added_ == 0;
  int64_t count = 0, wanted = 0;
  for (const StridedValues& group : groups) {
    count += group.count();
    wanted += Wanted(group.count(), q_);
  }
  added_ += count;
  // Of the first groups what may be wanted of all is much more than what is wanted of each.
  const std::vector<Histogram> maxima = MaximaOf(groups, count, is_first ? wanted_ : wanted);
  if (is_first) {
    Histogram sum = EmptyHistogram();
    for (const Histogram& of_group : maxima) AddTo(of_group, sum);
    bound_ = BeginOf(BinOf(sum, wanted_));
  }
  std::vector<float> least(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    least[g] = std::min(BeginOf(BinOf(maxima[g], Wanted(groups[g].count(), q_))), bound_);
  }
  std::vector<std::vector<float>> upper = AtLeast(groups, least);
  std::vector<Histogram> histograms(groups.size());
  std::vector<double> quantiles(groups.size());
  ParallelFor(groups.size(), 1, [&](size_t g) {
    histograms[g] = HistogramOf(upper[g]);
    const uint32_t bin = BinOf(histograms[g], Wanted(groups[g].count(), q_));
    std::vector<float> own = upper[g];
    DropBelow(own, BeginOf(bin));
    quantiles[g] = Select(std::move(own), bin, groups[g].count(), q_);
  });
  for (const Histogram& of_group : histograms) AddTo(of_group, histogram_);
  bound_ = std::max(bound_, BeginOf(BinOf(histogram_, wanted_)));
  for (std::vector<float>& of_group : upper) {
    DropBelow(of_group, bound_);
    upper_.insert(upper_.end(), of_group.begin(), of_group.end());
  }
  Prune();
  return quantiles;
}

// Drops what is not among the `wanted_` largest any more.
void GroupQuantiles::Prune() {
  if (std::ssize(upper_) < 2 * wanted_) return;
  DropBelow(upper_, bound_);
  if (std::ssize(upper_) < 2 * wanted_) return;
  // Nearly all lie in the same bin.
  const auto least = upper_.end() - wanted_;
  std::nth_element(upper_.begin(), least, upper_.end());
  bound_ = *least;
  DropBelow(upper_, bound_);
}

double GroupQuantiles::OfAll() const {
  if (added_ != total_) throw Error("a quantile of other values than were announced");
  return Select(upper_, BinOf(histogram_, wanted_), total_, q_);
}

}  // namespace vggt
#endif  // HWY_ONCE
