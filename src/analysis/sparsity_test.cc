// SPDX-License-Identifier: Apache-2.0
#include "analysis/sparsity.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "attention/request.h"
#include "qk_testing.h"

namespace vggt {
namespace {

using ::testing::Each;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// A store of one kind of blocks and one layer whose queries and keys are given by a function of
// (token, channel).
template <typename Q, typename K>
std::filesystem::path WriteStore(const TestDir& dir, const QkDescription& d, Q q, K k) {
  const QkBlocks& blocks = d.blocks[0];
  const Shape shape = d.shape(blocks);
  std::vector<float> values[2];
  for (int64_t i = 0; i < NumElements(shape); ++i) {
    const int64_t token = i / shape[2] % shape[1], channel = i % shape[2];
    values[0].push_back(q(token, channel));
    values[1].push_back(k(token, channel));
  }
  const std::filesystem::path file = WriteQkStore(dir.path(), d);
  testing::WriteQkLayer(file.parent_path() / blocks.layers[0].file, shape, values[0], values[1]);
  return file;
}

QkDescription OneLayer(int64_t frames, int64_t height, int64_t width) {
  QkDescription d = SmallQkDescription(frames, height, width);
  d.blocks.resize(1);
  d.blocks[0].layers.resize(1);
  return d;
}

std::vector<double> Lengths(const QkBlocks& blocks, const TokenGrid& grid) {
  std::mt19937 engine(9);
  std::uniform_real_distribution<double> value(0, 2);
  std::vector<double> lengths(static_cast<size_t>(blocks.heads * grid.tokens()));
  for (double& length : lengths) length = static_cast<float>(value(engine));
  return lengths;
}

// What rules keep, said once more by plain loops over whole rows in double precision.
class SlowRules {
 public:
  SlowRules(const QkStore& store, BlockKind kind, size_t layer, const RowSample& sample,
            const std::vector<double>& lengths, const SparsityOptions& options)
      : blocks_(BlocksOf(store.description(), kind)),
        grid_(store.description().token_grid(blocks_)),
        rows_(PatchRows(sample, grid_)),
        per_frame_(std::ssize(sample.patches)),
        options_(options) {
    const int64_t tokens = grid_.tokens();
    for (int64_t h = 0; h < blocks_.heads; ++h) {
      const SlowAttention slow(store.description(), blocks_, layer, static_cast<int>(h) + 1, false);
      auto& matrix = mass_.emplace_back();
      auto& weighted = weighted_.emplace_back();
      for (const int64_t i : rows_) {
        std::vector<double> row, product;
        double sum = 0;
        for (int64_t j = 0; j < tokens; ++j) {
          row.push_back(slow.Value(Definition::kModel, i, j));
          product.push_back(row.back() * lengths[h * tokens + j]);
          sum += product.back();
        }
        for (double& p : product) p /= sum;
        matrix.push_back(row);
        weighted.push_back(product);
      }
    }
  }

  // Each query's kept keys under an outcome that is no kTop; [rows][tokens].
  std::vector<std::vector<bool>> Kept(const SparsityOutcome& outcome, size_t place, int64_t head,
                                      const LayerSparsity& got) const {
    std::vector<std::vector<bool>> kept;
    // Anchors of queries at even places of the sample are those that the others chose.
    const bool split = per_frame_ < grid_.patches();
    const std::vector<bool> anchors[2] = {Fixed(outcome.rule, place, split ? 1 : -1),
                                          Fixed(outcome.rule, place, split ? 0 : -1)};
    for (size_t r = 0; r < rows_.size(); ++r) {
      const int64_t i = rows_[r];
      const std::vector<bool>& fixed = anchors[split ? r % per_frame_ % 2 : 0];
      std::vector<bool> row(grid_.tokens());
      for (int64_t j = 0; j < grid_.tokens(); ++j) {
        const bool special = Patch(j) < 0;
        switch (outcome.rule) {
          case SparsityRule::kBlocks:
            row[j] = special || InMask(got, head, i, j);
            break;
          case SparsityRule::kOwnPicture:
            row[j] = special || Frame(i) == Frame(j);
            break;
          case SparsityRule::kGrid:
            row[j] = special || i == j ||
                     (Patch(j) / grid_.width % options_.strides[place] == 0 &&
                      Patch(j) % grid_.width % options_.strides[place] == 0);
            break;
          default:
            row[j] = special || fixed[j];
        }
        row[j] = row[j] && Attended(i, j);
      }
      kept.push_back(row);
    }
    return kept;
  }

  const auto& mass(int64_t head) const { return mass_[head]; }
  const auto& weighted(int64_t head) const { return weighted_[head]; }

  int64_t Keys(int64_t query) const {
    const FrameRange range = AttendedFrames(blocks_.attends, Frame(query), grid_.frames, false);
    return range.count() * grid_.tokens_per_frame() + grid_.scene_tokens;
  }

  // Of the mass that patches give to patches of other pictures, that of `fixed`.
  double Cross(int64_t head, const std::vector<std::vector<bool>>& kept) const {
    double sum = 0, all = 0;
    for (size_t r = 0; r < rows_.size(); ++r) {
      for (int64_t j = 0; j < grid_.tokens(); ++j) {
        if (Patch(j) < 0 || Frame(j) == Frame(rows_[r])) continue;
        all += mass_[head][r][j];
        sum += kept[r][j] ? mass_[head][r][j] : 0;
      }
    }
    return sum / all;
  }

 private:
  int64_t Frame(int64_t token) const { return token / grid_.tokens_per_frame(); }
  int64_t Patch(int64_t token) const {
    if (grid_.is_special(token)) return -1;
    return token % grid_.tokens_per_frame() - grid_.special_tokens;
  }
  bool Attended(int64_t i, int64_t j) const {
    if (grid_.is_scene_token(j)) return true;
    const FrameRange range = AttendedFrames(blocks_.attends, Frame(i), grid_.frames, false);
    return Frame(j) >= range.first && Frame(j) < range.last;
  }

  // The mask is checked by itself; here it is only applied.
  bool InMask(const LayerSparsity& got, int64_t head, int64_t i, int64_t j) const {
    const bool all = blocks_.attends == Attends::kAll;
    const bool own = blocks_.attends == Attends::kFrame;
    const int64_t group = all ? 0 : Frame(i);
    const int64_t query = (all ? Frame(i) : 0) * grid_.patches() + Patch(i);
    const int64_t key = (own ? 0 : Frame(j)) * grid_.patches() + Patch(j);
    if (!Attended(i, j)) return false;
    const auto& shape = got.mask_shape;
    return got.block_mask[((head * shape[1] + group) * shape[2] + query / kMaskQueries) * shape[3] +
                          key / kMaskKeys] != 0;
  }

  // `half`: which queries of the sample choose, -1 all.
  std::vector<bool> Fixed(SparsityRule rule, size_t place, int half) const {
    std::vector<bool> keep(grid_.tokens());
    if (rule < SparsityRule::kRandomAnchors) return keep;
    const int64_t patches = grid_.patches();
    const auto count = static_cast<int64_t>(
        std::ceil(options_.anchors[place] * static_cast<double>(patches) - 1e-9));
    std::vector<double> score(grid_.tokens(), 0);
    for (int64_t h = 0; h < blocks_.heads; ++h) {
      for (size_t r = 0; r < rows_.size(); ++r) {
        if (half >= 0 && r % per_frame_ % 2 != static_cast<size_t>(half)) continue;
        double own = 0;
        for (int64_t j = 0; j < grid_.tokens(); ++j) {
          own += Patch(j) >= 0 && Frame(j) == Frame(rows_[r]) ? mass_[h][r][j] : 0;
        }
        for (int64_t j = 0; j < grid_.tokens(); ++j) {
          const bool same = Frame(j) == Frame(rows_[r]);
          if (rule == SparsityRule::kOwnAnchors && same) score[j] += mass_[h][r][j] / own;
          if (rule == SparsityRule::kColumnAnchors) score[j] += mass_[h][r][j];
        }
      }
    }
    if (rule == SparsityRule::kRandomAnchors) {
      std::mt19937_64 engine(options_.seed);
      for (double& s : score) s = static_cast<double>(engine() >> 11);
    }
    const bool together = rule == SparsityRule::kColumnAnchors;
    for (int64_t j = 0; j < grid_.tokens(); ++j) {
      if (Patch(j) < 0) continue;
      int64_t better = 0;
      for (int64_t o = 0; o < grid_.tokens(); ++o) {
        if (Patch(o) >= 0 && (together || Frame(o) == Frame(j))) better += score[o] > score[j];
      }
      keep[j] = better < count * (together ? grid_.frames : 1);
    }
    return keep;
  }

  const QkBlocks& blocks_;
  const TokenGrid grid_;
  const std::vector<int64_t> rows_;
  const int64_t per_frame_;
  const SparsityOptions& options_;
  std::vector<std::vector<std::vector<double>>> mass_, weighted_;
};

double TopSum(std::vector<double> row, int64_t count) {
  std::sort(row.begin(), row.end(), std::greater<>());
  return std::accumulate(row.begin(), row.begin() + count, 0.0);
}

void CompareWithSlow(const QkStore& store, BlockKind kind, int64_t rows) {
  const QkBlocks& blocks = BlocksOf(store.description(), kind);
  const TokenGrid grid = store.description().token_grid(blocks);
  const RowSample sample = SampledRows(grid, rows);
  const std::vector<double> lengths = Lengths(blocks, grid);
  const std::vector<float> floats(lengths.begin(), lengths.end());
  SparsityOptions options;
  options.seed = 5;
  options.draws = 1;  // as the slow way draws
  const LayerSparsity first = ComputeLayerSparsity(store, kind, 0, sample, floats, options);
  const SlowRules slow(store, kind, 0, sample, lengths, options);
  const std::vector<int64_t> queries = PatchRows(sample, grid);
  std::vector<LayerSparsity> with_mask;  // one for each block rule: its own mask
  for (size_t r = 0; r < options.blocks.size(); ++r) {
    options.mask = r;
    with_mask.push_back(ComputeLayerSparsity(store, kind, 0, sample, floats, options));
  }
  size_t place = 0;
  for (size_t o = 0; o < first.outcomes.size(); ++o) {
    const SparsityOutcome& outcome = first.outcomes[o];
    place = o > 0 && first.outcomes[o - 1].rule == outcome.rule ? place + 1 : 0;
    SCOPED_TRACE(::testing::Message() << SparsityRules()[static_cast<size_t>(outcome.rule)].name
                                      << " " << outcome.setting);
    const bool blocks_rule = outcome.rule == SparsityRule::kBlocks;
    for (int64_t h = 0; h < blocks.heads; ++h) {
      double kept = 0, mass = 0, weighted = 0, best = 0, best_weighted = 0;
      std::vector<std::vector<bool>> keep;
      if (outcome.rule == SparsityRule::kEvenAnchors) continue;  // by its own test
      if (outcome.rule != SparsityRule::kTop) {
        keep = slow.Kept(outcome, place, h, blocks_rule ? with_mask[place] : first);
      }
      for (size_t r = 0; r < queries.size(); ++r) {
        const auto keys = static_cast<double>(slow.Keys(queries[r]));
        int64_t count = 0;
        if (outcome.rule == SparsityRule::kTop) {
          count = static_cast<int64_t>(std::ceil(options.shares[place] * keys - 1e-9));
          mass += TopSum(slow.mass(h)[r], count);
          weighted += TopSum(slow.weighted(h)[r], count);
        }
        for (int64_t j = 0; !keep.empty() && j < grid.tokens(); ++j) {
          if (!keep[r][j]) continue;
          ++count;
          mass += slow.mass(h)[r][j];
          weighted += slow.weighted(h)[r][j];
        }
        kept += static_cast<double>(count) / keys;
        best += TopSum(slow.mass(h)[r], count);
        best_weighted += TopSum(slow.weighted(h)[r], count);
      }
      const auto n = static_cast<double>(queries.size());
      ASSERT_NEAR(outcome.kept[h], kept / n, 1e-12);
      // Probabilities are exact to 1e-5 of themselves.
      ASSERT_NEAR(outcome.mass[h], mass / n, 2e-5);
      ASSERT_NEAR(outcome.weighted_mass[h], weighted / n, 2e-5);
      // The largest keys hold at least as much as any rule's, of each query as many.
      ASSERT_LE(outcome.mass[h], best / n + 2e-5);
      ASSERT_LE(outcome.weighted_mass[h], best_weighted / n + 2e-5);
      if (outcome.cross_mass.empty()) continue;
      const double cross = slow.Cross(h, keep);
      if (std::isnan(cross)) {
        ASSERT_TRUE(std::isnan(outcome.cross_mass[h]));
      } else {
        ASSERT_NEAR(outcome.cross_mass[h], cross, 3e-5);
      }
    }
  }
  for (int64_t h = 0; h < blocks.heads; ++h) {
    double keys_for_90 = 0;
    for (size_t r = 0; r < queries.size(); ++r) {
      int64_t count = 0;
      while (TopSum(slow.mass(h)[r], count) < 0.9) ++count;
      keys_for_90 += static_cast<double>(count) / static_cast<double>(slow.Keys(queries[r]));
    }
    // A row's count may differ by a key where its sum is 0.9 to a relative 1e-5.
    EXPECT_NEAR(first.keys_for_90[h], keys_for_90 / static_cast<double>(queries.size()), 2e-3);
  }
}

TEST(Sparsity, EqualsTheSlowWayForEveryKind) {
  for (const Attends attends : {Attends::kAll, Attends::kCausal}) {
    QkDescription d = SmallQkDescription(3, 9, 11);
    d.blocks[0].attends = attends;
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    for (const QkBlocks& blocks : d.blocks) {
      if (attends == Attends::kCausal && blocks.kind != BlockKind::kGlobal) continue;
      SCOPED_TRACE(::testing::Message() << BlockKindName(blocks.kind) << AttendsName(attends));
      CompareWithSlow(store, blocks.kind, 4);
    }
  }
}

TEST(Sparsity, EqualsTheSlowWayWithSceneTokens) {
  QkDescription d = OneLayer(3, 9, 11);
  d.blocks[0].scene_tokens = {"scale", "up"};
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  CompareWithSlow(store, BlockKind::kGlobal, 4);
}

// One picture, without special tokens, smaller than a block.
TEST(Sparsity, OnePictureOfAFewPatches) {
  QkDescription d = OneLayer(1, 3, 5);
  d.blocks[0].special_tokens.clear();
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  CompareWithSlow(store, BlockKind::kGlobal, 15);
}

// All queries are 0: every key has 1 / N, and each rule's mass is the share that it keeps.
TEST(Sparsity, UniformAttentionGivesTheKeptShare) {
  const QkDescription d = OneLayer(2, 10, 13);
  const TestDir dir;
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  const QkStore store(WriteStore(
                          dir, d, [](int64_t, int64_t) { return 0.0F; },
                          [&](int64_t, int64_t) { return normal(engine); }),
                      {});
  const TokenGrid grid = d.token_grid(d.blocks[0]);
  const LayerSparsity got =
      ComputeLayerSparsity(store, BlockKind::kGlobal, 0, SampledRows(grid, 20));
  for (const SparsityOutcome& outcome : got.outcomes) {
    for (int64_t h = 0; h < got.heads; ++h) {
      EXPECT_NEAR(outcome.mass[h], outcome.kept[h], 1e-5) << outcome.setting;
    }
  }
  EXPECT_NEAR(got.keys_for_90[0], 0.9, 1.0 / static_cast<double>(grid.tokens()) + 1e-9);
}

// The camera token of the first picture draws everything: one key is enough, and every other rule
// keeps special tokens.
TEST(Sparsity, OneSinkIsRecoveredAtOnce) {
  QkDescription d = OneLayer(2, 10, 13);
  d.blocks[0].rope.type = RopeType::kNone;
  const TestDir dir;
  const auto first = [](int64_t, int64_t channel) { return channel % 4 == 0 ? 10.0F : 0.0F; };
  const QkStore store(WriteStore(dir, d, first,
                                 [&](int64_t token, int64_t channel) {
                                   return token == 0 ? first(0, channel) : 0.0F;
                                 }),
                      {});
  const TokenGrid grid = d.token_grid(d.blocks[0]);
  const LayerSparsity got =
      ComputeLayerSparsity(store, BlockKind::kGlobal, 0, SampledRows(grid, 20));
  for (const SparsityOutcome& outcome : got.outcomes)
    EXPECT_THAT(outcome.mass, Each(::testing::DoubleNear(1, 1e-5)));
  EXPECT_THAT(got.keys_for_90,
              Each(::testing::DoubleNear(1.0 / static_cast<double>(grid.tokens()), 1e-12)));
}

// A few rows and the statistics of all rows give what all rows give, where a rule's keys are the
// same for all queries.
TEST(Sparsity, StatisticsOfAllRowsStandForThem) {
  const QkDescription d = SmallQkDescription(3, 9, 11);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  for (const QkBlocks& blocks : d.blocks) {
    SCOPED_TRACE(BlockKindName(blocks.kind));
    const TokenGrid grid = d.token_grid(blocks);
    SparsityOptions options;
    options.strides = {1, 3};
    const LayerStatistics statistics = ComputeLayerStatistics(store, blocks.kind, 0, AllRows(grid));
    const LayerSparsity all =
        ComputeLayerSparsity(store, blocks.kind, 0, AllRows(grid), {}, options);
    const LayerSparsity few = ComputeLayerSparsity(store, blocks.kind, 0, SampledRows(grid, 7), {},
                                                   options, {}, &statistics);
    EXPECT_TRUE(few.column_sample.all);
    EXPECT_FALSE(few.sample.all);
    for (size_t o = 0; o < all.outcomes.size(); ++o) {
      const SparsityOutcome &a = all.outcomes[o], &b = few.outcomes[o];
      if (a.rule == SparsityRule::kTop || a.rule == SparsityRule::kBlocks) continue;
      SCOPED_TRACE(SparsityRules()[static_cast<size_t>(a.rule)].name + a.setting);
      for (int64_t h = 0; h < all.heads; ++h) {
        EXPECT_NEAR(b.kept[h], a.kept[h], 1e-12);
        // Of the grid's own tokens the mass is that of the sample: here a token has about 1 / 99.
        const double apart =
            a.rule == SparsityRule::kGrid && a.setting != "every 1st" ? 0.05 : 2e-5;
        EXPECT_NEAR(b.mass[h], a.mass[h], apart);
      }
    }
  }
  const LayerStatistics other =
      ComputeLayerStatistics(store, BlockKind::kGlobal, 1, AllRows(d.token_grid(d.blocks[0])));
  EXPECT_THAT(ErrorOf([&] {
                return ComputeLayerSparsity(store, BlockKind::kGlobal, 0,
                                            SampledRows(d.token_grid(d.blocks[0]), 7), {}, {}, {},
                                            &other);
              }),
              HasSubstr("another layer"));
}

// One draw and the mean of two tell the second; the deviation of two is |a - b| / √2.
TEST(Sparsity, RandomAnchorsAreTheMeanOfTheirDraws) {
  const QkDescription d = OneLayer(2, 9, 11);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  SparsityOptions options;
  options.anchors = {0.1};
  const auto random = [&](int draws) {
    options.draws = draws;
    const LayerSparsity got = ComputeLayerSparsity(store, BlockKind::kGlobal, 0,
                                                   AllRows(d.token_grid(d.blocks[0])), {}, options);
    return *std::ranges::find(got.outcomes, SparsityRule::kRandomAnchors, &SparsityOutcome::rule);
  };
  const auto mean = [](const SparsityOutcome& outcome) {
    return std::accumulate(outcome.mass.begin(), outcome.mass.end(), 0.0) /
           static_cast<double>(outcome.mass.size());
  };
  const SparsityOutcome one = random(1), two = random(2), many = random(64);
  EXPECT_TRUE(std::isnan(one.draw_deviation));
  const double second = 2 * mean(two) - mean(one);
  EXPECT_NE(second, mean(one));
  EXPECT_NEAR(two.draw_deviation, std::abs(second - mean(one)) / std::sqrt(2), 1e-12);
  EXPECT_GT(many.draw_deviation, 0);
  // All draws keep as many keys.
  EXPECT_EQ(many.kept, one.kept);
  EXPECT_THAT(ErrorOf([&] { return random(0); }), HasSubstr("number of draws"));
}

TEST(Sparsity, MassGrowsWithTheShareAndAllKeysAreAll) {
  const QkDescription d = OneLayer(3, 9, 11);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  SparsityOptions options;
  options.shares.clear();
  for (int i = 1; i <= 50; ++i) options.shares.push_back(0.02 * i);
  options.anchors = {0.1, 0.4, 0.7, 1};
  options.blocks = {{0, 1}, {0, 0.5}, {0.5, 0.5}, {0, 0}};
  options.strides = {4, 1};
  const LayerSparsity got = ComputeLayerSparsity(
      store, BlockKind::kGlobal, 0, SampledRows(d.token_grid(d.blocks[0]), 10), {}, options);
  for (size_t o = 1; o < got.outcomes.size(); ++o) {
    const SparsityOutcome &before = got.outcomes[o - 1], &now = got.outcomes[o];
    const bool last = o + 1 == got.outcomes.size() || got.outcomes[o + 1].rule != now.rule;
    for (int64_t h = 0; h < got.heads; ++h) {
      if (before.rule == now.rule) {
        EXPECT_GE(now.mass[h], before.mass[h] - 1e-9) << now.setting;
      }
      if (!last || now.rule == SparsityRule::kOwnPicture) continue;
      EXPECT_EQ(now.kept[h], 1) << now.setting;
      EXPECT_NEAR(now.mass[h], 1, 1e-5) << now.setting;
    }
    EXPECT_TRUE(now.weighted_mass.empty());
  }
}

// Every patch looks at itself alone. A sample's own patches would be perfect anchors for it, and
// for nobody else.
TEST(Sparsity, AnchorsAreNotMeasuredByTheQueriesThatChoseThem) {
  QkDescription d = OneLayer(2, 10, 13);
  d.blocks[0].rope.type = RopeType::kNone;
  std::mt19937 engine(4);
  std::normal_distribution<float> normal;
  std::vector<float> x;
  for (int64_t i = 0; i < d.token_grid(d.blocks[0]).tokens() * d.blocks[0].head_dim; ++i) {
    x.push_back(7 * normal(engine));
  }
  const auto same = [&](int64_t token, int64_t channel) {
    return x[static_cast<size_t>(token * d.blocks[0].head_dim + channel)];
  };
  const TestDir dir;
  const QkStore store(WriteStore(dir, d, same, same), {});
  const LayerSparsity got = ComputeLayerSparsity(store, BlockKind::kGlobal, 0,
                                                 SampledRows(d.token_grid(d.blocks[0]), 12));
  for (const SparsityOutcome& outcome : got.outcomes) {
    if (outcome.rule == SparsityRule::kTop) {
      EXPECT_NEAR(outcome.mass[0], 1, 0.01);
    }
    const bool chosen =
        outcome.rule == SparsityRule::kOwnAnchors || outcome.rule == SparsityRule::kColumnAnchors;
    if (chosen && outcome.setting == "10 %") {
      EXPECT_LT(outcome.mass[0], 0.3);
    }
  }
}

// Each picture keeps as many as asked for, far from each other: where keys are looked at by their
// place alone, mass is the share of places.
TEST(Sparsity, EvenAnchorsAreEvenlySpaced) {
  for (const auto& [height, width] : {std::pair(25, 37), std::pair(3, 11), std::pair(13, 1)}) {
    QkDescription d = OneLayer(2, height, width);
    d.blocks[0].rope.type = RopeType::kNone;
    d.blocks[0].special_tokens.clear();
    // Keys of the left half of the grid draw nothing.
    const int64_t w = width, tokens = int64_t{height} * width;
    const TestDir dir;
    const QkStore store(
        WriteStore(
            dir, d, [](int64_t, int64_t) { return 10.0F; },
            [&](int64_t token, int64_t) { return token % tokens % w < w / 2 ? -1.0F : 0.0F; }),
        {});
    const LayerSparsity got = ComputeLayerSparsity(store, BlockKind::kGlobal, 0,
                                                   SampledRows(d.token_grid(d.blocks[0]), 5));
    for (const SparsityOutcome& outcome : got.outcomes) {
      if (outcome.rule != SparsityRule::kEvenAnchors) continue;
      const double share = std::stod(outcome.setting) / 100;
      const double kept = std::ceil(share * static_cast<double>(tokens) - 1e-9);
      EXPECT_NEAR(outcome.kept[0], kept / static_cast<double>(tokens), 1e-12);
      // A line of anchors may lie to one side.
      EXPECT_NEAR(outcome.mass[0], outcome.kept[0], height > 20 ? 0.05 : 0.4) << outcome.setting;
    }
  }
}

// Of as many anchors, those by column mass keep the most, the mean over heads.
TEST(Sparsity, NoAnchorsKeepMoreThanThoseByColumnMass) {
  const QkDescription d = OneLayer(3, 9, 11);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const LayerSparsity got =
      ComputeLayerSparsity(store, BlockKind::kGlobal, 0, AllRows(d.token_grid(d.blocks[0])));
  const auto mean = [](const std::vector<double>& x) {
    return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  };
  std::map<std::string, double> best;
  for (const SparsityOutcome& outcome : got.outcomes) {
    if (outcome.rule == SparsityRule::kColumnAnchors) best[outcome.setting] = mean(outcome.mass);
  }
  ASSERT_EQ(best.size(), 4U);
  for (const SparsityOutcome& outcome : got.outcomes) {
    if (outcome.rule < SparsityRule::kRandomAnchors) continue;
    EXPECT_LE(mean(outcome.mass), best[outcome.setting] + 1e-12) << outcome.setting;
  }
}

TEST(Sparsity, DoesNotDependOnTheNumberOfThreads) {
  const QkDescription d = OneLayer(3, 9, 11);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const RowSample sample = SampledRows(d.token_grid(d.blocks[0]), 40);
  const int threads = ThreadCount();
  std::vector<LayerSparsity> got;
  for (const int count : {1, 3}) {
    SetThreadCount(count);
    got.push_back(ComputeLayerSparsity(store, BlockKind::kGlobal, 0, sample));
  }
  SetThreadCount(threads);
  EXPECT_EQ(got[0].block_mask, got[1].block_mask);
  EXPECT_EQ(got[0].keys_for_90, got[1].keys_for_90);
  for (size_t o = 0; o < got[0].outcomes.size(); ++o) {
    EXPECT_EQ(got[0].outcomes[o].mass, got[1].outcomes[o].mass);
  }
}

TEST(Sparsity, SaysWhatIsWrong) {
  const QkDescription d = OneLayer(1, 2, 2);
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const RowSample sample = AllRows(d.token_grid(d.blocks[0]));
  const std::vector<float> few(3, 1.0F);
  EXPECT_THAT(ErrorOf([&] { ComputeLayerSparsity(store, BlockKind::kGlobal, 0, sample, few); }),
              HasSubstr("3 lengths of values for 18 keys"));
  SparsityOptions options;
  options.shares = {0.5, 0.1};
  EXPECT_THAT(
      ErrorOf([&] { ComputeLayerSparsity(store, BlockKind::kGlobal, 0, sample, {}, options); }),
      HasSubstr("do not ascend"));
  EXPECT_THROW(ComputeLayerSparsity(store, BlockKind::kGlobal, 0, sample, {}, {},
                                    [] { throw Error("stopped"); }),
               Error);
}

}  // namespace
}  // namespace vggt
