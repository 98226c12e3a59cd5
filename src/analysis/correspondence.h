// SPDX-License-Identifier: Apache-2.0
// Which heads find the same point in other pictures: attention held against known matches, as
// "On Geometric Understanding and Learned Priors in VGGT" (arXiv:2512.11508) does it for every
// layer and head.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attention/tiles.h"
#include "core/parallel.h"
#include "geometry/frame_cells.h"
#include "geometry/scene_matches.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Of a match, patch i of frame a lies at x̂ in frame b. A head's answer is the patch j* of b with
// the largest logit of i's query, after RoPE; of equal ones the first. All are means (the last a
// median) over the matches of all pairs, each match with the same weight.
enum class MatchMetric { kHit0, kHit1, kHit2, kPck05, kPck10, kMutual, kMedianError };
inline constexpr size_t kMatchMetrics = 7;

struct MatchMetricInfo {
  MatchMetric metric;
  const char* name;   // in tables: "hit1"
  const char* label;  // "hit within 1 cell"
  const char* unit;   // "share" if it is one of 1
  const char* definition;
};
// All of them, in the order of the enumeration.
std::span<const MatchMetricInfo, kMatchMetrics> MatchMetrics();

// A head's answers for the matches of a pair, one each.
struct PairAnswers {
  std::vector<int32_t> best;  // patches of frame b
  std::vector<int32_t> back;  // the answer of that patch in frame a; -1 where it cannot look there
};

// For each pair. Throws Error like QkStore::Layer, if there is no such layer or head, and if values
// are infinite or not numbers. On all threads; the result does not depend on their number. Memory:
// three copies of the head's queries and keys as float32.
std::vector<PairAnswers> FindAnswers(const QkStore& store, const HeadRef& head,
                                     const SceneMatches& matches, const StopCheck& stop_check = {});

// Numbers by MatchMetric; NaN where one means nothing.
struct MatchNumbers : std::array<double, kMatchMetrics> {
  MatchNumbers() { fill(std::numeric_limits<double>::quiet_NaN()); }
  double& of(MatchMetric metric) { return (*this)[static_cast<size_t>(metric)]; }
  double of(MatchMetric metric) const { return (*this)[static_cast<size_t>(metric)]; }
};

struct HitScores {
  MatchNumbers value;
  // As if the matches were drawn at random, each by itself. Of the median: half the distance
  // between the errors that stand √n / 2 places before and after it.
  MatchNumbers standard_error;
  // Hits alone: what the same answers score if the places x̂ of each pair are dealt out anew among
  // its matches; the mean over all ways to do so.
  MatchNumbers shuffled;
  std::vector<double> pair_hit1;  // of each pair alone
};

// Without looking. `chance`: answers drawn at random from all patches of b, the mean over all draws
// (of hits (2r + 1)² / n, less at borders). `same_cell`: the answer is i itself, as a head would
// give it that goes by position alone.
struct MatchBaselines {
  MatchNumbers chance, same_cell;
  std::vector<double> pair_chance1, pair_same_cell1;
};

class MatchScorer {
 public:
  // `matches` and `frames`, which has transforms, outlive it.
  MatchScorer(const SceneMatches& matches, const FrameList& frames);

  const MatchBaselines& baselines() const { return baselines_; }
  // Of answers for all pairs. Any thread may call it.
  HitScores Score(const std::vector<PairAnswers>& answers) const;

 private:
  const SceneMatches& matches_;
  const FrameCells cells_;
  MatchBaselines baselines_;
  std::array<std::vector<std::vector<int32_t>>, 3> around_;  // of each r and pair: places by cell
};

// All heads of all stored global layers.
struct MatchBoard {
  std::vector<int64_t> layers;  // their indices, from 0
  int64_t heads = 0;
  SceneMatches matches;           // those that were asked
  std::string sample;             // which, in words
  std::vector<HitScores> scores;  // [layers, heads]
  MatchBaselines baselines;

  const HitScores& At(size_t layer, int64_t head) const {  // both from 0
    return scores[layer * static_cast<size_t>(heads) + static_cast<size_t>(head)];
  }
};

// `rows`: matches of so many patches of each frame alone, evenly spaced (row_sample.h), 0 for all;
// absent: all, or so many that answers take at most 5·10^11 multiply-adds. Pairs whose queries
// cannot attend to the other frame, as in causal blocks, are left out. Throws Error if the store
// has no global blocks, if these attend to their own frame alone, or if no match is left, and like
// FindAnswers. `progress` goes from 0 to 1.
MatchBoard ScoreHeads(const QkStore& store, const SceneMatches& matches,
                      std::optional<int64_t> rows, const StopCheck& stop_check = {},
                      const std::function<void(double)>& progress = {});

// The same in parts: a board without scores, and the scores that it lacks. What was computed stays
// in the board if `stop_check` or `progress` throws.
MatchBoard BeginScores(const QkStore& store, const SceneMatches& matches,
                       std::optional<int64_t> rows);
void ContinueScores(const QkStore& store, MatchBoard& board, const StopCheck& stop_check = {},
                    const std::function<void(double)>& progress = {});

// The heads with the largest hit1, best first, at most `count`: places in MatchBoard::scores. Of
// equal ones those with the larger hit0, then the earlier.
std::vector<size_t> BestHeads(const MatchBoard& board, size_t count);

}  // namespace vggt
