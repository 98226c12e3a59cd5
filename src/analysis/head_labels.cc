// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "analysis/token_flow.h"
#include "attention/softmax_groups.h"

namespace vggt {
namespace {

// Where labels begin. "Times" are those of what uniform attention would give.
constexpr double kSinkMass = 0.5, kSinkTimes = 5;
constexpr double kSelfMass = 0.2, kSelfTimes = 5;
constexpr double kLocalOwnMass = 0.5, kLocalDistance = 0.5;  // of the uniform distance
constexpr double kSameCellMass = 0.1, kSameCellTimes = 5;
constexpr double kMatcherCrossMass = 0.3, kMatcherSameCell = 0.25;
constexpr double kMatcherMutual = 0.3, kMatcherTop10Mass = 0.25;
constexpr double kFirstMass = 0.2, kFirstTimes = 2;
constexpr double kUniformKeys = 0.5;
constexpr double kHubMass = 0.1, kHubPatches = 0.02;

// What the rules ask of one head.
class Head {
 public:
  Head(const LayerStatistics& s, int64_t head) : s_(s), head_(head) {}

  bool Has(HeadLabel label) const {
    switch (label) {
      case HeadLabel::kSink:
        return Exceeds(HeadMetric::kSpecialMass, kSinkMass, kSinkTimes) ||
               (LargestKeys() >= kSinkMass &&
                LargestKeys() >= kSinkTimes * static_cast<double>(s_.grid.frames) /
                                     static_cast<double>(s_.grid.tokens()));
      case HeadLabel::kSelf:
        return Exceeds(HeadMetric::kSelfMass, kSelfMass, kSelfTimes);
      case HeadLabel::kLocal:
        return Mean(HeadMetric::kOwnMass) >= kLocalOwnMass &&
               Mean(HeadMetric::kMeanDistance) <=
                   kLocalDistance * Uniform(HeadMetric::kMeanDistance);
      case HeadLabel::kSameCell:
        return Exceeds(HeadMetric::kSameCellMass, kSameCellMass, kSameCellTimes);
      case HeadLabel::kMatcher:
        return Mean(HeadMetric::kCrossMass) >= kMatcherCrossMass &&
               Mean(HeadMetric::kSameCellMass) <= kMatcherSameCell * Mean(HeadMetric::kCrossMass) &&
               (Mean(HeadMetric::kMutualShare) >= kMatcherMutual ||
                Mean(HeadMetric::kTop10Mass) >= kMatcherTop10Mass);
      case HeadLabel::kFirstPicture: {
        const auto [first, others] = MassOfOthers();
        return first >= kFirstMass && first >= kFirstTimes * others;
      }
      case HeadLabel::kUniform:
        return std::exp(Mean(HeadMetric::kEntropy) - Uniform(HeadMetric::kEntropy)) >= kUniformKeys;
      case HeadLabel::kHub:
        return IsHub();
    }
    return false;
  }

 private:
  double Mean(HeadMetric metric) const {
    const double mean = s_.Mean(metric, head_);
    return std::isfinite(mean) ? mean : std::numeric_limits<double>::quiet_NaN();
  }
  double Uniform(HeadMetric metric) const { return s_.Uniform(metric); }
  bool Exceeds(HeadMetric metric, double least, double times) const {
    return Mean(metric) >= least && Mean(metric) >= times * Uniform(metric);
  }

  std::span<const float> KeysOf(int64_t frame) const {
    const int64_t count = s_.grid.tokens_per_frame();
    return std::span(s_.key_mass)
        .subspan(static_cast<size_t>(head_ * s_.grid.tokens() + s_.grid.first_token(frame)),
                 static_cast<size_t>(count));
  }

  // What the one key of each picture that holds most of it has, all pictures together.
  double LargestKeys() const {
    double sum = 0;
    for (int64_t f = 0; f < s_.grid.frames; ++f) {
      const auto keys = KeysOf(f);
      sum += *std::max_element(keys.begin(), keys.end());
    }
    return sum;
  }

  // What patches give on average to picture 0, and to a picture that is neither 0 nor their own, of
  // those that see both; NaN where there are no such.
  std::pair<double, double> MassOfOthers() const {
    const int64_t frames = s_.grid.frames;
    double first = 0, others = 0, queries = 0;
    for (int64_t from = 1; from < frames; ++from) {
      const FrameRange seen = AttendedFrames(s_.attends, from, frames, false);
      if (seen.first > 0 || seen.count() < 3) continue;
      const float* row = s_.frame_mass.data() + (head_ * frames + from) * (frames + 1);
      double sum = 0;
      for (int64_t to = 1; to < seen.last; ++to) sum += to == from ? 0 : row[to];
      first += row[0];
      others += sum / static_cast<double>(seen.count() - 2);
      ++queries;
    }
    return {first / queries, others / queries};
  }

  bool IsHub() const {
    const auto queries = static_cast<double>(s_.grid.frames * std::ssize(s_.sample.patches));
    const std::vector<double> uniform = UniformKeyMass(s_.attends, s_.grid);
    int64_t count = 0;
    double mass = 0;
    for (int64_t f = 0; f < s_.grid.frames; ++f) {
      // Of few sampled queries each has a large share, and so has its own patch in many heads.
      const double least =
          std::max(kHubFactor * uniform[static_cast<size_t>(f)], kHubQueries / queries);
      for (const float key : KeysOf(f).subspan(static_cast<size_t>(s_.grid.special_tokens))) {
        if (!(key >= least)) continue;
        ++count;
        mass += key;
      }
    }
    const auto patches = static_cast<double>(s_.grid.frames * s_.grid.patches());
    return mass >= kHubMass && static_cast<double>(count) <= std::max(1.0, kHubPatches * patches);
  }

  const LayerStatistics& s_;
  const int64_t head_;
};

std::array<HeadLabelInfo, kHeadLabels> MakeInfos() {
  return {{
      {HeadLabel::kSink, "sink", "sink",
       fmt::format("Special tokens, or one key of each picture, hold at least {:g} of the mass, "
                   "and {:g} times their uniform share.",
                   kSinkMass, kSinkTimes)},
      {HeadLabel::kSelf, "self", "self",
       fmt::format("The query's own patch holds at least {:g} of the mass, and {:g} times the "
                   "uniform share.",
                   kSelfMass, kSelfTimes)},
      {HeadLabel::kLocal, "local", "local",
       fmt::format("Patches of the query's own picture hold at least {:g} of the mass, at a mean "
                   "distance of at most {:g} of that of uniform attention.",
                   kLocalOwnMass, kLocalDistance)},
      {HeadLabel::kSameCell, "same-cell", "same cell",
       fmt::format("The query's cell in the other pictures holds at least {:g} of the mass, and "
                   "{:g} times the uniform share.",
                   kSameCellMass, kSameCellTimes)},
      {HeadLabel::kMatcher, "matcher", "matcher",
       fmt::format("Other pictures hold at least {:g} of the mass, of which at most {:g} is at "
                   "the query's cell; and at least {:g} of the best matches there are mutual, or "
                   "the ten largest keys hold at least {:g} of the mass.",
                   kMatcherCrossMass, kMatcherSameCell, kMatcherMutual, kMatcherTop10Mass)},
      {HeadLabel::kFirstPicture, "first-picture", "first picture",
       fmt::format("From the patches of the other pictures, picture 0 gets at least {:g} of the "
                   "mass, and {:g} times what each other picture but their own gets.",
                   kFirstMass, kFirstTimes)},
      {HeadLabel::kUniform, "uniform", "uniform",
       fmt::format("The exponential of the entropy is at least {:g} of the number of keys.",
                   kUniformKeys)},
      {HeadLabel::kHub, "hub", "hub",
       fmt::format("Patches that get at least {:g} times the uniform mass, and as much as {:g} "
                   "queries give, are at most {:g} % of all patches and hold together at least "
                   "{:g} of the mass.",
                   kHubFactor, kHubQueries, 100 * kHubPatches, kHubMass)},
  }};
}

}  // namespace

std::span<const HeadLabelInfo, kHeadLabels> HeadLabels() {
  static const std::array<HeadLabelInfo, kHeadLabels> infos = MakeInfos();
  return infos;
}

std::vector<std::vector<HeadLabel>> LabelHeads(const LayerStatistics& statistics) {
  std::vector<std::vector<HeadLabel>> labels(static_cast<size_t>(statistics.heads));
  for (int64_t h = 0; h < statistics.heads; ++h) {
    const Head head(statistics, h);
    for (const HeadLabelInfo& info : HeadLabels()) {
      if (head.Has(info.label)) labels[static_cast<size_t>(h)].push_back(info.label);
    }
  }
  return labels;
}

}  // namespace vggt
