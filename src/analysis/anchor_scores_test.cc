// SPDX-License-Identifier: Apache-2.0
#include "analysis/anchor_scores.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "qk_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

class AnchorScoresTest : public ::testing::Test {
 protected:
  void TearDown() override { SetThreadCount(threads_); }

  TestDir dir_;
  const int threads_ = ThreadCount();
};

// The softmax of a query over some keys.
std::vector<double> Softmax(const SlowAttention& slow, int64_t query,
                            const std::vector<int64_t>& keys) {
  std::vector<double> p;
  double sum = 0;
  for (const int64_t key : keys) sum += p.emplace_back(std::exp(slow.Logit(query, key)));
  for (double& value : p) value /= sum;
  return p;
}

// All numbers by plain loops over a store with several registers and a grid of odd sizes.
TEST_F(AnchorScoresTest, AreThoseOfPlainLoops) {
  QkDescription d = SmallQkDescription(3, 5, 7);
  d.blocks[0].special_tokens.push_back("register_2");
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const QkBlocks& blocks = d.blocks[0];
  const int64_t P = d.tokens_per_frame(blocks), n = 35, S = 3, heads = blocks.heads;
  const RowSample sample = SampledRows(d.token_grid(blocks), 11);
  AnchorScores slow;
  slow.local_entropy.resize(3), slow.local_self_mass.resize(3), slow.local_far_mass.resize(3);
  slow.local_mass.resize(3 * n), slow.register_score.resize(3 * n), slow.direct.resize(3 * n);
  slow.register_graph = PairScores(3);
  std::fill(slow.register_graph.values.begin(), slow.register_graph.values.end(), 0.0);
  std::vector<int64_t> registers, all(3 * P);
  std::iota(all.begin(), all.end(), 0);
  for (int64_t f = 0; f < 3; ++f) registers.insert(registers.end(), {f * P + 1, f * P + 2});
  std::vector<double> received(6), given(6 * n);
  for (int h = 1; h <= heads; ++h) {
    const SlowAttention attention(d, blocks, 1, h, false);
    for (int64_t f = 0; f < 3; ++f) {
      std::vector<int64_t> patches(n);
      std::iota(patches.begin(), patches.end(), f * P + S);
      for (int64_t i = 0; i < n; ++i) {
        const std::vector<double> p = Softmax(attention, patches[i], patches);
        for (int64_t j = 0; j < n; ++j) {
          const double rows = i / 7 - j / 7, cols = i % 7 - j % 7;
          slow.local_entropy[f] -= p[j] * std::log(p[j]) / static_cast<double>(n * heads);
          if (std::hypot(rows, cols) > 0.25 * 7) {
            slow.local_far_mass[f] += p[j] / static_cast<double>(n * heads);
          }
          slow.local_mass[f * n + j] += p[j] / static_cast<double>(heads);
        }
        slow.local_self_mass[f] += p[i] / static_cast<double>(n * heads);
      }
      for (const int64_t i : sample.patches) {
        const std::vector<double> p = Softmax(attention, patches[i], all);
        for (int64_t j = 0; j < 3 * n; ++j) {
          if (j / n != f) slow.direct[j] += p[j / n * P + S + j % n] / (33.0 * heads);
        }
      }
      for (int64_t r = 0; r < 2; ++r) {
        const std::vector<double> p = Softmax(attention, registers[f * 2 + r], patches);
        for (int64_t j = 0; j < n; ++j) given[(f * 2 + r) * n + j] += p[j] / heads;
        const std::vector<double> other = Softmax(attention, registers[f * 2 + r], registers);
        for (int64_t j = 0; j < 6; ++j) {
          slow.register_graph.at(f, j / 2) += other[j] / (4.0 * heads);
          if (j / 2 != f) received[j] += other[j] / heads;
        }
      }
    }
  }
  for (int64_t r = 0; r < 6; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      slow.register_score[r / 2 * n + j] += received[r] * given[r * n + j];
    }
  }

  const auto compare = [](const std::vector<double>& got, const std::vector<double>& expected,
                          const char* name) {
    ASSERT_EQ(got.size(), expected.size()) << name;
    for (size_t i = 0; i < got.size(); ++i) {
      // Probabilities have a relative error of 1e-5, entropies that of their logits.
      ASSERT_NEAR(got[i], expected[i], 2e-5 * std::max(1.0, expected[i])) << name << " " << i;
    }
  };
  std::vector<std::vector<double>> direct;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    const AnchorScores got = ComputeAnchorScores(store, 1, sample);
    compare(got.local_entropy, slow.local_entropy, "entropy");
    compare(got.local_self_mass, slow.local_self_mass, "self");
    compare(got.local_far_mass, slow.local_far_mass, "far");
    compare(got.local_mass, slow.local_mass, "mass");
    compare(got.register_score, slow.register_score, "registers");
    compare(got.register_graph.values, slow.register_graph.values, "graph");
    compare(got.direct, slow.direct, "direct");
    EXPECT_NEAR(got.cross_mass, std::accumulate(slow.direct.begin(), slow.direct.end(), 0.0), 1e-5);
    direct.push_back(got.direct);
    direct.push_back(got.local_mass);
  }
  for (size_t i = 2; i < direct.size(); ++i) EXPECT_EQ(direct[i], direct[i % 2]);
}

// Queries of zero: every softmax is uniform over its keys.
TEST_F(AnchorScoresTest, UniformAttentionGivesTheBaselines) {
  const QkDescription d = SmallQkDescription(3, 3, 4);
  const auto file = WriteQkStore(dir_.path(), d);
  const std::vector<float> zero(3 * 42 * 16);
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", d.shape(d.blocks[0]), zero,
                        testing::QkValues(d, d.blocks[0], 0, 1));
  const QkStore store(file, {});
  const AnchorScores got = ComputeAnchorScores(store, 0, AllRows(d.token_grid(d.blocks[0])));
  EXPECT_NEAR(got.local_entropy[1], std::log(12), 1e-6);
  EXPECT_NEAR(got.local_self_mass[2], 1.0 / 12, 1e-6);
  for (const double mass : got.local_mass) EXPECT_NEAR(mass, 1, 1e-5);
  // One register each: a third of what two other registers give, shared by 12 patches.
  for (const double score : got.register_score) EXPECT_NEAR(score, 2.0 / 3 / 12, 1e-6);
  for (const double value : got.register_graph.values) EXPECT_NEAR(value, 1.0 / 3, 1e-6);
  EXPECT_NEAR(got.cross_mass, 24.0 / 42, 1e-5);
  EXPECT_NEAR(KeptMass(got, ChooseAnchors(got, AnchorChoice::kEven, 0.5, 1)), 0.5, 1e-5);
}

TEST_F(AnchorScoresTest, KeptMassGrowsWithTheShareAndTheOracleKeepsMost) {
  const QkDescription d = SmallQkDescription(3, 5, 7);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const AnchorScores got = ComputeAnchorScores(store, 0, AllRows(d.token_grid(d.blocks[0])));
  for (const AnchorChoiceInfo& info : AnchorChoices()) {
    double before = 0;
    for (const double share : {0.01, 0.05, 0.1, 0.3, 0.77, 1.0}) {
      const std::vector<int64_t> anchors = ChooseAnchors(got, info.choice, share, 7);
      ASSERT_EQ(anchors.size(), std::max<size_t>(3, static_cast<size_t>(std::ceil(share * 105))))
          << info.name << share;
      ASSERT_TRUE(std::is_sorted(anchors.begin(), anchors.end(), std::less_equal<>()));
      ASSERT_GE(anchors.front(), 0);
      ASSERT_LT(anchors.back(), 105);
      const double kept = KeptMass(got, anchors);
      const double best = KeptMass(got, ChooseAnchors(got, AnchorChoice::kOracle, share, 7));
      EXPECT_LE(kept, best + 1e-12) << info.name << share;
      if (info.choice != AnchorChoice::kRandom && info.choice != AnchorChoice::kEven) {
        EXPECT_GE(kept, before) << info.name << share;
      }
      before = kept;
    }
    EXPECT_NEAR(before, 1, 1e-12) << info.name;
  }
  EXPECT_EQ(ChooseAnchors(got, AnchorChoice::kRandom, 0.3, 7),
            ChooseAnchors(got, AnchorChoice::kRandom, 0.3, 7));
  EXPECT_NE(ChooseAnchors(got, AnchorChoice::kRandom, 0.3, 7),
            ChooseAnchors(got, AnchorChoice::kRandom, 0.3, 8));
}

AnchorScores Handmade() {
  AnchorScores scores;
  scores.grid = {2, 2, 1, 4};
  scores.local_mass = {4, 3, 2, 1, 1, 2, 3, 4};
  scores.register_score = {0, 0, 0, 9, 1, 0, 0, 0};
  scores.direct = {0, 0, 1, 0, 5, 0, 0, 2};
  scores.cross_mass = 8;
  return scores;
}

TEST(ChooseAnchors, SharesOutByScores) {
  const AnchorScores scores = Handmade();
  EXPECT_THAT(ChooseAnchors(scores, AnchorChoice::kOracle, 0.25, 1), ElementsAre(4, 7));
  EXPECT_THAT(ChooseAnchors(scores, AnchorChoice::kLocal, 0.5, 1), ElementsAre(0, 1, 6, 7));
  // Beyond one each there are three: 0.9 · 0.9 + 0.05 of them, 2.58, for the first picture.
  EXPECT_THAT(ChooseAnchors(scores, AnchorChoice::kRegisters, 0.6, 1), ElementsAre(0, 1, 2, 3, 4));
  // The first picture is full.
  EXPECT_THAT(ChooseAnchors(scores, AnchorChoice::kRegisters, 0.75, 1),
              ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(ChooseAnchors(scores, AnchorChoice::kRegistersAndLocal, 0.25, 1), ElementsAre(3, 4));
  EXPECT_DOUBLE_EQ(KeptMass(scores, std::vector<int64_t>{4, 7}), 7.0 / 8);
  const std::vector<double> sum = RegisterAndLocalScore(scores);
  EXPECT_DOUBLE_EQ(sum[0], 0.2 * 0.4);
  EXPECT_DOUBLE_EQ(sum[3], 1 + 0.2 * 0.1);
}

TEST_F(AnchorScoresTest, RefusesAndStops) {
  QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const RowSample sample = AllRows(d.token_grid(d.blocks[0]));
  EXPECT_THROW(ComputeAnchorScores(store, 0, sample, [] { throw testing::Cancelled(); }),
               testing::Cancelled);
  const TestDir one, bare;
  const QkStore alone(WriteQkStore(one.path(), SmallQkDescription(1)), {});
  EXPECT_THAT(ErrorOf([&] { return ComputeAnchorScores(alone, 0, sample); }),
              HasSubstr("an anchor score needs at least two pictures"));
  d.blocks[0].special_tokens.clear();
  const QkStore without(WriteQkStore(bare.path(), d), {});
  const AnchorScores got = ComputeAnchorScores(without, 0, AllRows(d.token_grid(d.blocks[0])));
  EXPECT_TRUE(got.register_score.empty());
  EXPECT_EQ(ChooseAnchors(got, AnchorChoice::kLocal, 0.1, 1).size(), 4U);
  EXPECT_THAT(ErrorOf([&] { return ChooseAnchors(got, AnchorChoice::kRegisters, 0.1, 1); }),
              HasSubstr("no special tokens"));
  std::vector<float> q =
      testing::QkValues(SmallQkDescription(), store.description().blocks[0], 0, 0);
  q[16 * 3] = NAN;
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors",
                        store.description().shape(store.description().blocks[0]), q, q);
  EXPECT_THAT(ErrorOf([&] { return ComputeAnchorScores(store, 0, sample); }),
              HasSubstr("global_01.safetensors: holds queries or keys"));
}

}  // namespace
}  // namespace vggt
