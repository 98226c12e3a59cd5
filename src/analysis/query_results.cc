// SPDX-License-Identifier: Apache-2.0
#include "analysis/query_results.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/parallel.h"

namespace vggt {

QueryResults::QueryResults(const TokenGrid& grid, const RowSample& sample, bool mutual)
    : grid_(grid),
      all_(sample.all),
      mutual_(mutual),
      specials_(grid.special_tokens),
      per_frame_(specials_ + std::ssize(sample.patches)) {
  const auto queries = static_cast<size_t>(grid.frames * per_frame_);
  metrics.resize(queries);
  frame_mass.resize(queries * columns());
  before_rope.resize(queries * columns());
  best.resize(queries * static_cast<size_t>(grid.frames));
  flow_mass.resize(queries);
  flow_largest.resize(queries);
}

TokenGroup QueryResults::GroupOf(int64_t frame, int64_t place) const {
  if (place >= specials_) {
    return frame == 0 ? TokenGroup::kFirstPatches : TokenGroup::kOtherPatches;
  }
  if (place > 0) return TokenGroup::kRegisters;
  return frame == 0 ? TokenGroup::kFirstCamera : TokenGroup::kOtherCameras;
}

void QueryResults::AddTo(int64_t head, LayerStatistics& statistics) const {
  ParallelFor(3, 1, [&](size_t part) {
    if (part == 0) AddMeans(head, statistics);
    if (part == 1) AddFrames(head, statistics);
    if (part == 2) AddFlow(head, statistics);
  });
}

// Calls visit(query) for the patch queries of a frame.
template <typename Visit>
void QueryResults::ForEachPatchQuery(int64_t frame, const Visit& visit) const {
  for (int64_t place = specials_; place < per_frame_; ++place) visit(QueryAt(frame, place));
}

void QueryResults::AddMeans(int64_t head, LayerStatistics& s) const {
  std::array<double, kRowMetrics> counts = {}, sums = {};
  for (int64_t f = 0; f < grid_.frames; ++f) {
    ForEachPatchQuery(f, [&](size_t query) {
      const auto& values = metrics[query];
      for (size_t m = 0; m < kRowMetrics; ++m) {
        const bool known = !std::isnan(values[m]);
        counts[m] += known ? 1 : 0;
        sums[m] += known ? values[m] : 0;
      }
    });
  }
  for (size_t m = 0; m < kRowMetrics; ++m) {
    if (counts[m] == 0) continue;
    const size_t place = s.At(static_cast<HeadMetric>(m), head);
    s.mean[place] = sums[m] / counts[m];
    s.standard_error[place] = all_ ? 0 : StandardError(m);
  }
  if (!mutual_) return;
  const size_t place = s.At(HeadMetric::kMutualShare, head);
  s.mean[place] = MutualShare();
  s.standard_error[place] = 0;
}

// Of the mean of a metric, from the means over frames of each patch of the sample. A frame without
// a value has none at any patch.
double QueryResults::StandardError(size_t metric) const {
  std::vector<double> means;
  for (int64_t place = specials_; place < per_frame_; ++place) {
    double count = 0, sum = 0;
    for (int64_t f = 0; f < grid_.frames; ++f) {
      const double value = metrics[QueryAt(f, place)][metric];
      if (std::isnan(value)) continue;
      ++count;
      sum += value;
    }
    means.push_back(sum / count);
  }
  const auto n = static_cast<double>(means.size());
  const double mean = std::accumulate(means.begin(), means.end(), 0.0) / n;
  double squares = 0;
  for (const double each : means) squares += (each - mean) * (each - mean);
  return std::sqrt(squares / (n - 1) / n * (1 - n / static_cast<double>(grid_.patches())));
}

double QueryResults::MutualShare() const {
  const int64_t patches = grid_.patches();
  const auto answer = [&](int64_t from, int64_t patch, int64_t to) {
    return best[QueryAt(from, specials_ + patch) * static_cast<size_t>(grid_.frames) +
                static_cast<size_t>(to)];
  };
  int64_t mutual = 0;
  for (int64_t a = 0; a < grid_.frames; ++a) {
    for (int64_t b = 0; b < grid_.frames; ++b) {
      for (int64_t i = 0; a != b && i < patches; ++i) {
        mutual += answer(b, answer(a, i, b), a) == i;
      }
    }
  }
  return static_cast<double>(mutual) /
         static_cast<double>(grid_.frames * (grid_.frames - 1) * patches);
}

void QueryResults::AddFrames(int64_t head, LayerStatistics& s) const {
  const auto n = static_cast<double>(per_frame_ - specials_);
  const auto add = [&](const std::vector<float>& from, std::vector<float>& to) {
    for (int64_t f = 0; f < grid_.frames; ++f) {
      std::vector<double> sums(columns());
      ForEachPatchQuery(f, [&](size_t query) {
        for (size_t c = 0; c < columns(); ++c) sums[c] += from[query * columns() + c];
      });
      float* out = to.data() + static_cast<size_t>(head * grid_.frames + f) * columns();
      for (size_t c = 0; c < columns(); ++c) out[c] = static_cast<float>(sums[c] / n);
    }
  };
  add(frame_mass, s.frame_mass);
  if (!s.frame_mass_before_rope.empty()) add(before_rope, s.frame_mass_before_rope);
}

void QueryResults::AddFlow(int64_t head, LayerStatistics& s) const {
  std::array<double, kQueryGroups> count = {};
  std::array<std::array<double, kKeyGroups>, kQueryGroups> sums = {};
  std::array<std::array<float, kKeyGroups>, kQueryGroups> largest = {};
  for (int64_t f = 0; f < grid_.frames; ++f) {
    for (int64_t place = 0; place < per_frame_; ++place) {
      const auto group = static_cast<size_t>(GroupOf(f, place));
      const size_t query = QueryAt(f, place);
      ++count[group];
      for (size_t g = 0; g < kKeyGroups; ++g) {
        sums[group][g] += flow_mass[query][g];
        largest[group][g] = std::max(largest[group][g], flow_largest[query][g]);
      }
    }
  }
  for (size_t group = 0; group < kQueryGroups; ++group) {
    if (count[group] == 0) continue;
    const size_t at = (static_cast<size_t>(head) * kQueryGroups + group) * kKeyGroups;
    for (size_t g = 0; g < kKeyGroups; ++g) {
      s.flow_mean[at + g] = static_cast<float>(sums[group][g] / count[group]);
      s.flow_largest[at + g] = largest[group][g];
    }
  }
}

}  // namespace vggt
