// SPDX-License-Identifier: Apache-2.0
#include "analysis/column_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <random>

#include "analysis/anchor_choice.h"
#include "attention/request.h"
#include "attention/softmax_groups.h"

namespace vggt {
namespace {

// Keys that all queries of each half of the sample keep.
struct FixedKeys {
  std::array<std::vector<int64_t>, 2> tokens;  // ascending
  bool all = false;                            // whether the first half keeps all
  double kept = 0;                             // the mean share of its keys that a query keeps
  std::optional<size_t> stride;  // the place of the grid's, whose queries keep themselves, too
};

// Of each head.
struct KeptMass {
  std::vector<double> mass, weighted, cross;
};

template <typename T>
double SumAt(std::span<const T> values, const std::vector<int64_t>& places) {
  double sum = 0;
  for (const int64_t place : places) sum += values[static_cast<size_t>(place)];
  return sum;
}

class ColumnRules {
 public:
  explicit ColumnRules(const ColumnRulesInput& input)
      : in_(input),
        grid_(input.grid),
        options_(input.options),
        heads_(input.plain.size()),
        halves_(input.split ? 2 : 1) {
    for (int64_t f = 0; f < grid_.frames; ++f) {
      attended_.push_back(AttendedFrames(in_.attends, f, grid_.frames, false));
    }
  }

  std::vector<SparsityOutcome> Make() {
    AddGrids();
    const size_t first_random = sets_.size();
    AddRandom();
    const size_t first_chosen = sets_.size();
    AddChosen();
    Measure();

    for (size_t s = 0; s < options_.strides.size(); ++s) {
      const int64_t stride = options_.strides[s];
      const char* ending = stride == 2 ? "nd" : stride == 3 ? "rd" : stride == 1 ? "st" : "th";
      AddOutcome(SparsityRule::kGrid, fmt::format("every {}{}", stride, ending), s);
    }
    AddOwnPicture();
    const size_t shares = options_.anchors.size();
    const auto setting = [&](size_t a) {
      return fmt::format("{:.3g} %", 100 * options_.anchors[a]);
    };
    for (size_t a = 0; a < shares; ++a) {
      AddMeanOfDraws(setting(a), first_random + a * static_cast<size_t>(options_.draws));
    }
    size_t set = first_chosen;
    for (const SparsityRule rule : kChosen) {
      for (size_t a = 0; a < shares; ++a) AddOutcome(rule, setting(a), set++);
    }
    return std::move(outcomes_);
  }

 private:
  static constexpr SparsityRule kChosen[] = {SparsityRule::kEvenAnchors, SparsityRule::kOwnAnchors,
                                             SparsityRule::kColumnAnchors};

  bool weighted() const { return !in_.weighted.empty(); }
  double rows() const { return static_cast<double>(in_.rows); }

  std::span<const float> KeyMass(size_t head) const {
    const auto tokens = static_cast<size_t>(grid_.tokens());
    return std::span(in_.statistics->key_mass).subspan(head * tokens, tokens);
  }

  // `keep`: of the queries of each half, or of all.
  FixedKeys Fixed(std::span<const KeptTokens> keep, std::optional<size_t> stride = {}) const {
    FixedKeys fixed;
    fixed.stride = stride;
    fixed.all = std::ranges::all_of(keep[0], [](uint8_t kept) { return kept != 0; });
    std::array<std::vector<int64_t>, 2> counts;  // [frames]: the keys that its queries keep
    for (size_t half = 0; half < halves_; ++half) {
      const KeptTokens& kept = keep[std::min(half, keep.size() - 1)];
      for (size_t j = 0; j < kept.size(); ++j) {
        if (kept[j]) fixed.tokens[half].push_back(static_cast<int64_t>(j));
      }
      for (const FrameRange& frames : attended_) {
        const auto first = kept.begin() + grid_.first_token(frames.first);
        counts[half].push_back(std::accumulate(first, first + KeyCount(frames, grid_), int64_t{0}));
      }
    }
    for (const int64_t query : in_.column_rows) {
      const auto frame = static_cast<size_t>(query / grid_.tokens_per_frame());
      int64_t count = counts[in_.half_of[static_cast<size_t>(query)]][frame];
      if (stride && !InGrid(grid_, query, options_.strides[*stride])) ++count;
      fixed.kept +=
          static_cast<double>(count) / static_cast<double>(KeyCount(attended_[frame], grid_));
    }
    fixed.kept /= static_cast<double>(in_.column_rows.size());
    return fixed;
  }

  void AddGrids() {
    for (size_t s = 0; s < options_.strides.size(); ++s) {
      KeptTokens keep(static_cast<size_t>(grid_.tokens()));
      for (size_t j = 0; j < keep.size(); ++j) {
        const auto token = static_cast<int64_t>(j);
        keep[j] = grid_.is_special(token) || InGrid(grid_, token, options_.strides[s]);
      }
      sets_.push_back(Fixed({&keep, 1}, s));
    }
  }

  // All draws of each share of anchors; the same for every layer, and of fewer anchors those of
  // more.
  void AddRandom() {
    const auto draws = static_cast<size_t>(options_.draws);
    std::mt19937_64 engine(options_.seed);
    std::vector<std::vector<double>> scores(draws);
    for (std::vector<double>& draw : scores) {
      draw.resize(static_cast<size_t>(grid_.tokens()));
      for (double& score : draw) score = static_cast<double>(engine() >> 11);
    }
    const size_t first = sets_.size();
    sets_.resize(first + options_.anchors.size() * draws);
    ParallelFor(sets_.size() - first, 1, [&](size_t i) {
      const int64_t count = CountOfShare(options_.anchors[i / draws], grid_.patches());
      const KeptTokens keep = LargestAnchors(grid_, scores[i % draws], count, false);
      sets_[first + i] = Fixed({&keep, 1});
    });
  }

  void AddChosen() {
    for (const SparsityRule rule : kChosen) {
      const std::vector<std::vector<double>> scores = Scores(rule);
      for (const double share : options_.anchors) {
        const int64_t count = CountOfShare(share, grid_.patches());
        const bool together = rule == SparsityRule::kColumnAnchors;
        std::vector<KeptTokens> keep;
        for (const std::vector<double>& each : scores) {
          keep.push_back(
              LargestAnchors(grid_, each, together ? count * grid_.frames : count, together));
        }
        if (rule == SparsityRule::kEvenAnchors) keep = {EvenAnchors(grid_, count)};
        sets_.push_back(Fixed(keep));
      }
    }
  }

  // By which anchors are chosen for the queries of each half, or for all: each half's are those of
  // the other.
  std::vector<std::vector<double>> Scores(SparsityRule rule) const {
    if (rule == SparsityRule::kEvenAnchors) return {};
    const bool own = rule == SparsityRule::kOwnAnchors;
    if (own && in_.statistics != nullptr) return {{in_.own_scores.begin(), in_.own_scores.end()}};
    std::vector<std::vector<double>> scores;
    for (size_t half = 0; half < halves_; ++half) {
      std::vector<double>& sums = scores.emplace_back(static_cast<size_t>(grid_.tokens()), 0);
      const auto add = [&](const auto& values) {
        for (size_t j = 0; j < sums.size(); ++j) sums[j] += values[j];
      };
      for (size_t h = 0; h < heads_; ++h) {
        const ColumnSums& columns = in_.plain[h]->halves[halves_ - 1 - half];
        if (in_.statistics != nullptr) {
          add(KeyMass(h));
        } else {
          add(own ? columns.intra : columns.all);
        }
      }
    }
    return scores;
  }

  // A head's columns stay in the cache while all sets of keys are measured.
  void Measure() {
    measured_.resize(sets_.size());
    for (KeptMass& measured : measured_) {
      measured.mass.resize(heads_);
      measured.cross.resize(heads_);
      if (weighted()) measured.weighted.resize(heads_);
    }
    ParallelFor(heads_, 1, [&](size_t head) {
      const ColumnTally& plain = *in_.plain[head];
      // Of each half, from patches to patches of other pictures.
      std::array<std::vector<double>, 2> cross;
      double all_cross = 0;
      for (size_t half = 0; half < halves_; ++half) {
        const ColumnSums& columns = plain.halves[half];
        cross[half].resize(columns.all.size());
        for (size_t j = 0; j < columns.all.size(); ++j) {
          if (grid_.is_special(static_cast<int64_t>(j))) continue;
          cross[half][j] = columns.all[j] - columns.own[j];
          all_cross += cross[half][j];
        }
      }
      for (size_t s = 0; s < sets_.size(); ++s) {
        const FixedKeys& keys = sets_[s];
        KeptMass& measured = measured_[s];
        measured.mass[head] = keys.all                    ? 1
                              : in_.statistics != nullptr ? OfStatistics(head, keys)
                                                          : OfSample(plain, keys);
        if (weighted()) {
          measured.weighted[head] = keys.all ? 1 : OfSample(*in_.weighted[head], keys);
        }
        double kept_cross = 0;
        for (size_t half = 0; half < halves_; ++half) {
          kept_cross += SumAt(std::span<const double>(cross[half]), keys.tokens[half]);
        }
        measured.cross[head] =
            all_cross > 0 ? kept_cross / all_cross : std::numeric_limits<double>::quiet_NaN();
      }
    });
  }

  double OfSample(const ColumnTally& tally, const FixedKeys& keys) const {
    double sum = keys.stride ? tally.diagonal[*keys.stride] : 0;
    for (size_t half = 0; half < halves_; ++half) {
      sum += SumAt(std::span<const double>(tally.halves[half].all), keys.tokens[half]);
    }
    return std::min(1.0, sum / rows());
  }

  double OfStatistics(size_t head, const FixedKeys& keys) const {
    const double own = keys.stride ? in_.plain[head]->diagonal[*keys.stride] / rows() : 0;
    return std::min(1.0, own + SumAt(KeyMass(head), keys.tokens[0]));
  }

  SparsityOutcome Outcome(SparsityRule rule, const std::string& setting, size_t set) {
    SparsityOutcome outcome{rule, setting, std::vector(heads_, sets_[set].kept), {}, {}, {}};
    outcome.mass = std::move(measured_[set].mass);
    outcome.weighted_mass = std::move(measured_[set].weighted);
    if (!sets_[set].stride) outcome.cross_mass = std::move(measured_[set].cross);
    return outcome;
  }

  void AddOutcome(SparsityRule rule, const std::string& setting, size_t set) {
    outcomes_.push_back(Outcome(rule, setting, set));
  }

  void AddMeanOfDraws(const std::string& setting, size_t first) {
    const auto draws = static_cast<size_t>(options_.draws);
    SparsityOutcome mean;
    double sum = 0, squares = 0;
    for (size_t draw = 0; draw < draws; ++draw) {
      SparsityOutcome one = Outcome(SparsityRule::kRandomAnchors, setting, first + draw);
      const double mass =
          std::accumulate(one.mass.begin(), one.mass.end(), 0.0) / static_cast<double>(heads_);
      // Welford's way: squares are those of the distances from the mean so far.
      const auto number = static_cast<double>(draw);
      const double before = mass - sum / std::max(1.0, number);
      sum += mass;
      if (draw > 0) squares += before * (mass - sum / (number + 1));
      if (draw == 0) {
        mean = std::move(one);
        continue;
      }
      const auto add = [](std::vector<double>& to, const std::vector<double>& values) {
        for (size_t i = 0; i < to.size(); ++i) to[i] += values[i];
      };
      add(mean.mass, one.mass);
      add(mean.weighted_mass, one.weighted_mass);
      add(mean.cross_mass, one.cross_mass);
    }
    for (auto* values : {&mean.mass, &mean.weighted_mass, &mean.cross_mass}) {
      for (double& value : *values) value /= options_.draws;
    }
    if (draws > 1) mean.draw_deviation = std::sqrt(squares / (options_.draws - 1));
    outcomes_.push_back(std::move(mean));
  }

  void AddOwnPicture() {
    double kept = 0;
    for (const int64_t query : in_.column_rows) {
      const FrameRange& frames = attended_[static_cast<size_t>(query / grid_.tokens_per_frame())];
      const int64_t count =
          grid_.patches() + frames.count() * grid_.special_tokens + grid_.scene_tokens;
      kept += static_cast<double>(count) / static_cast<double>(KeyCount(frames, grid_));
    }
    kept /= static_cast<double>(in_.column_rows.size());
    SparsityOutcome outcome{SparsityRule::kOwnPicture, "", std::vector(heads_, kept), {}, {}, {}};
    const auto mass = [&](const ColumnTally& tally) {
      double sum = 0;
      for (size_t half = 0; half < halves_; ++half) {
        const ColumnSums& columns = tally.halves[half];
        for (size_t j = 0; j < columns.all.size(); ++j) {
          sum += grid_.is_special(static_cast<int64_t>(j)) ? columns.all[j] : columns.own[j];
        }
      }
      return std::min(1.0, sum / rows());
    };
    for (size_t h = 0; h < heads_; ++h) {
      const auto head = static_cast<int64_t>(h);
      outcome.mass.push_back(
          in_.statistics != nullptr
              ? std::min(1.0, in_.statistics->Mean(HeadMetric::kOwnMass, head) +
                                  in_.statistics->Mean(HeadMetric::kSpecialMass, head))
              : mass(*in_.plain[h]));
      if (weighted()) outcome.weighted_mass.push_back(mass(*in_.weighted[h]));
    }
    outcomes_.push_back(std::move(outcome));
  }

  const ColumnRulesInput& in_;
  const TokenGrid& grid_;
  const SparsityOptions& options_;
  const size_t heads_, halves_;
  std::vector<FrameRange> attended_;  // [frames]: by its queries
  std::vector<FixedKeys> sets_;
  std::vector<KeptMass> measured_;  // [sets]
  std::vector<SparsityOutcome> outcomes_;
};

}  // namespace

bool InGrid(const TokenGrid& grid, int64_t token, int64_t stride) {
  const int64_t patch = token % grid.tokens_per_frame() - grid.special_tokens;
  return patch / grid.width % stride == 0 && patch % grid.width % stride == 0;
}

std::vector<SparsityOutcome> ColumnOutcomes(const ColumnRulesInput& input) {
  return ColumnRules(input).Make();
}

}  // namespace vggt
