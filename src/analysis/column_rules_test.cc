// SPDX-License-Identifier: Apache-2.0
#include "analysis/column_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "analysis/anchor_choice.h"
#include "analysis/row_sample.h"
#include "attention/softmax_groups.h"

namespace vggt {
namespace {

// Random sums of columns, and each outcome once more by plain loops over queries and keys. The
// whole pass is held against a slow one in sparsity_test.cc.
class ColumnRulesTest : public ::testing::TestWithParam<Attends> {
 protected:
  ColumnRulesTest() {
    grid_.frames = 3;
    grid_.height = 5;
    grid_.width = 7;
    grid_.special_tokens = 2;
    grid_.scene_tokens = GetParam() == Attends::kAll ? 1 : 0;
    rows_ = PatchRows(SampledRows(grid_, 6), grid_);
    half_of_.assign(static_cast<size_t>(grid_.tokens()), 0);
    for (size_t i = 0; i < rows_.size(); ++i) half_of_[static_cast<size_t>(rows_[i])] = i % 2;
    std::mt19937 engine(3);
    std::uniform_real_distribution<double> value(0, 1);
    for (ColumnTally& tally : tallies_) {
      for (ColumnSums& half : tally.halves) {
        for (auto* sums : {&half.own, &half.intra, &half.all}) {
          for (int64_t j = 0; j < grid_.tokens(); ++j) sums->push_back(value(engine) / 20);
        }
        for (size_t j = 0; j < half.all.size(); ++j) half.all[j] += half.own[j];
      }
      for (size_t s = 0; s < options_.strides.size(); ++s) tally.diagonal.push_back(value(engine));
    }
    options_.draws = 3;
  }

  std::vector<SparsityOutcome> Outcomes() const {
    ColumnRulesInput input{grid_,    GetParam(), options_, std::ssize(rows_), {}, {},
                           half_of_, true,       rows_,    nullptr,           {}};
    for (const ColumnTally& tally : tallies_) {
      input.plain.push_back(&tally);
      input.weighted.push_back(&tallies_[1 - (&tally - tallies_)]);
    }
    return ColumnOutcomes(input);
  }

  double Kept(const std::vector<KeptTokens>& keep, bool with_query) const {
    double sum = 0;
    for (const int64_t query : rows_) {
      const FrameRange frames =
          AttendedFrames(GetParam(), query / grid_.tokens_per_frame(), grid_.frames, false);
      double kept = 0, all = 0;
      for (int64_t j = 0; j < grid_.tokens(); ++j) {
        const int64_t frame = j / grid_.tokens_per_frame();
        if (!grid_.is_scene_token(j) && (frame < frames.first || frame >= frames.last)) continue;
        ++all;
        kept += keep[half_of_[query]][j] || (with_query && j == query);
      }
      sum += kept / all;
    }
    return sum / static_cast<double>(rows_.size());
  }

  double Mass(const ColumnTally& tally, const std::vector<KeptTokens>& keep, size_t stride) const {
    double sum = stride < options_.strides.size() ? tally.diagonal[stride] : 0;
    for (int64_t j = 0; j < grid_.tokens(); ++j) {
      for (const size_t half : {0U, 1U}) sum += keep[half][j] ? tally.halves[half].all[j] : 0;
    }
    return std::min(1.0, sum / static_cast<double>(rows_.size()));
  }

  void Compare(const SparsityOutcome& outcome, const std::vector<KeptTokens>& keep,
               size_t stride) const {
    SCOPED_TRACE(SparsityRules()[static_cast<size_t>(outcome.rule)].name + outcome.setting);
    for (size_t h = 0; h < 2; ++h) {
      EXPECT_NEAR(outcome.kept[h], Kept(keep, stride < 9), 1e-12);
      EXPECT_NEAR(outcome.mass[h], Mass(tallies_[h], keep, stride), 1e-12);
      EXPECT_NEAR(outcome.weighted_mass[h], Mass(tallies_[1 - h], keep, stride), 1e-12);
    }
  }

  TokenGrid grid_;
  SparsityOptions options_;
  std::vector<int64_t> rows_;
  std::vector<uint8_t> half_of_;
  ColumnTally tallies_[2];
};

TEST_P(ColumnRulesTest, EqualPlainLoops) {
  const std::vector<SparsityOutcome> got = Outcomes();
  ASSERT_EQ(got.size(), options_.strides.size() + 1 + 4 * options_.anchors.size());
  size_t place = 0;
  for (size_t o = 0; o < got.size(); ++o) {
    place = o > 0 && got[o - 1].rule == got[o].rule ? place + 1 : 0;
    std::vector<KeptTokens> keep(2, SpecialTokens(grid_));
    const int64_t count = o < 4 ? 0 : CountOfShare(options_.anchors[place], grid_.patches());
    size_t stride = 9;
    switch (got[o].rule) {
      case SparsityRule::kGrid:
        stride = place;
        for (KeptTokens& each : keep) {
          for (int64_t j = 0; j < grid_.tokens(); ++j) {
            if (!grid_.is_special(j)) each[j] = InGrid(grid_, j, options_.strides[place]);
          }
        }
        break;
      case SparsityRule::kEvenAnchors:
        keep.assign(2, EvenAnchors(grid_, count));
        break;
      case SparsityRule::kOwnAnchors:
      case SparsityRule::kColumnAnchors: {
        const bool own = got[o].rule == SparsityRule::kOwnAnchors;
        for (const size_t half : {0U, 1U}) {
          std::vector<double> scores(static_cast<size_t>(grid_.tokens()), 0);
          for (const ColumnTally& tally : tallies_) {
            const ColumnSums& other = tally.halves[1 - half];
            for (size_t j = 0; j < scores.size(); ++j)
              scores[j] += (own ? other.intra : other.all)[j];
          }
          keep[half] = LargestAnchors(grid_, scores, own ? count : 3 * count, !own);
        }
        break;
      }
      default:
        continue;  // own picture and draws: in sparsity_test.cc
    }
    Compare(got[o], keep, stride);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ColumnRulesTest,
                         ::testing::Values(Attends::kAll, Attends::kFrame, Attends::kCausal));

}  // namespace
}  // namespace vggt
