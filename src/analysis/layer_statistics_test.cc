// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_statistics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "qk_store_testing.h"
#include "slow_statistics.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowLayerStatistics;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkLayer;
using testing::WriteQkStore;

// Both NaN, or within a relative `tolerance` and 1e-7 beside it.
template <typename T>
void ExpectNear(const std::vector<T>& got, const std::vector<T>& expected, double tolerance,
                const char* what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(std::isnan(got[i]), std::isnan(expected[i])) << what << " " << i;
    if (std::isnan(got[i])) continue;
    ASSERT_NEAR(got[i], expected[i], tolerance * std::abs(expected[i]) + 1e-7) << what << " " << i;
  }
}

// Logits reach ±30 here, and float32 sums of such products are off by up to 1e-5, which is the
// relative error of a probability; means over rows are nearer. Float16 rounds nothing: the twin
// reads the same stored values.
void CompareWithSlow(const QkStore& store, BlockKind kind, size_t layer, const RowSample& sample) {
  const LayerStatistics got = ComputeLayerStatistics(store, kind, layer, sample);
  const LayerStatistics slow = SlowLayerStatistics(store, kind, layer, sample);
  EXPECT_EQ(got.kind, kind);
  EXPECT_EQ(got.layer_index, slow.layer_index);
  EXPECT_EQ(got.grid, slow.grid);
  EXPECT_EQ(got.heads, slow.heads);
  EXPECT_EQ(got.sample, sample);
  ASSERT_EQ(got.mean.size(), slow.mean.size());
  for (const HeadMetricInfo& info : HeadMetrics()) {
    for (int64_t head = 0; head < got.heads; ++head) {
      const double value = got.Mean(info.metric, head), expected = slow.Mean(info.metric, head);
      ASSERT_EQ(std::isnan(value), std::isnan(expected)) << info.name;
      if (std::isnan(value)) continue;
      ASSERT_NEAR(value, expected, 1e-5 * std::abs(expected) + 2e-7) << info.name;
    }
  }
  ExpectNear(got.mean, slow.mean, 1e-5, "mean");
  ExpectNear(got.standard_error, slow.standard_error, 2e-5, "standard error");
  ExpectNear(got.frame_mass, slow.frame_mass, 2e-5, "frame mass");
  ExpectNear(got.frame_mass_before_rope, slow.frame_mass_before_rope, 2e-5, "before RoPE");
  ExpectNear(got.flow_mean, slow.flow_mean, 2e-5, "flow");
  ExpectNear(got.flow_largest, slow.flow_largest, 2e-5, "largest of the flow");
  ExpectNear(got.key_mass, slow.key_mass, 2e-5, "key mass");
}

struct Size {
  int64_t frames, height, width, specials, head_dim;
};

// Global blocks alone, of two heads.
QkDescription Description(const Size& size, Attends attends, RopeType rope = RopeType::k2d) {
  QkDescription d = SmallQkDescription(size.frames, size.height, size.width, size.head_dim);
  d.blocks.resize(1);
  d.blocks[0].heads = 2;
  d.blocks[0].layers.resize(1);
  d.blocks[0].special_tokens.clear();
  for (int64_t i = 0; i < size.specials; ++i) {
    d.blocks[0].special_tokens.push_back(i == 0 ? "camera" : fmt::format("register_{}", i));
  }
  d.blocks[0].attends = attends;
  d.blocks[0].rope.type = rope;
  return d;
}

class LayerStatisticsOf : public ::testing::TestWithParam<Size> {};

TEST_P(LayerStatisticsOf, EqualTheSlowTwin) {
  for (const Attends attends : kAttends) {
    for (const RopeType rope : kRopeTypes) {
      if (rope != RopeType::k2d && attends != Attends::kAll) continue;
      const TestDir dir;
      const QkStore store(WriteQkStore(dir.path(), Description(GetParam(), attends, rope)), {});
      const TokenGrid grid = store.description().token_grid(store.description().blocks[0]);
      for (const RowSample& sample : {AllRows(grid), SampledRows(grid, 3)}) {
        SCOPED_TRACE(::testing::Message() << AttendsName(attends) << " " << RopeTypeName(rope)
                                          << ", " << SampleText(sample, grid));
        CompareWithSlow(store, BlockKind::kGlobal, 0, sample);
      }
    }
  }
}

// One token alone; fewer keys than ten; parts that fill no vector and parts that do.
INSTANTIATE_TEST_SUITE_P(Tokens, LayerStatisticsOf,
                         ::testing::Values(Size{1, 1, 1, 0, 8}, Size{1, 2, 2, 1, 8},
                                           Size{1, 5, 7, 5, 16}, Size{3, 5, 7, 0, 16},
                                           Size{3, 5, 7, 5, 8}, Size{4, 4, 4, 4, 64},
                                           Size{2, 1, 19, 2, 20}));

class LayerStatisticsTest : public ::testing::Test {
 protected:
  void SetUp() override { threads_ = ThreadCount(); }
  void TearDown() override { SetThreadCount(threads_); }
  TestDir dir_;
  int threads_ = 1;
};

TEST_P(LayerStatisticsOf, EqualTheSlowTwinWithSceneTokens) {
  for (const size_t count : {1U, 18U}) {
    QkDescription d = Description(GetParam(), Attends::kAll);
    for (size_t i = 0; i < count; ++i) {
      d.blocks[0].scene_tokens.push_back(fmt::format("scene_{}", i));
    }
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), d), {});
    const TokenGrid grid = store.description().token_grid(store.description().blocks[0]);
    for (const RowSample& sample : {AllRows(grid), SampledRows(grid, 3)}) {
      SCOPED_TRACE(::testing::Message() << count << " scene tokens, " << SampleText(sample, grid));
      CompareWithSlow(store, BlockKind::kGlobal, 0, sample);
    }
  }
}

TEST_F(LayerStatisticsTest, EqualTheSlowTwinForEveryKindOfBlocks) {
  const QkStore store(WriteQkStore(dir_.path(), SmallQkDescription()), {});
  for (const QkBlocks& blocks : store.description().blocks) {
    const TokenGrid grid = store.description().token_grid(blocks);
    for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
      CompareWithSlow(store, blocks.kind, layer, AllRows(grid));
    }
  }
}

// A store of one layer with two heads whose queries and keys are set(which, token, channel).
QkStore StoreOf(const std::filesystem::path& folder, const QkDescription& d,
                const std::function<float(int, int64_t, int64_t)>& set) {
  const auto file = WriteQkStore(folder, d);
  const QkBlocks& blocks = d.blocks[0];
  std::vector<float> values[2];
  for (const int which : {0, 1}) {
    for (int64_t head = 0; head < blocks.heads; ++head) {
      for (int64_t t = 0; t < d.token_grid(blocks).tokens(); ++t) {
        for (int64_t c = 0; c < blocks.head_dim; ++c) values[which].push_back(set(which, t, c));
      }
    }
  }
  WriteQkLayer(file.parent_path() / blocks.layers[0].file, d.shape(blocks), values[0], values[1]);
  return QkStore(file, {});
}

// More pictures of the same tell nothing more of the patches that were not sampled.
TEST_F(LayerStatisticsTest, StandardErrorsDoNotShrinkWithCopiesOfAPicture) {
  const auto errors = [](int64_t frames) {
    const TestDir dir;
    const QkDescription d = Description({frames, 6, 7, 2, 8}, Attends::kFrame);
    const QkStore store = StoreOf(dir.path(), d, [](int which, int64_t t, int64_t c) {
      const auto x = static_cast<double>((t % 44) * 8 + c);
      return static_cast<float>(2 * std::sin(x * x * (which + 1)));
    });
    const RowSample sample = SampledRows(d.token_grid(d.blocks[0]), 10);
    return ComputeLayerStatistics(store, BlockKind::kGlobal, 0, sample).standard_error;
  };
  const std::vector<double> one = errors(1), four = errors(4);
  for (const HeadMetric metric : {HeadMetric::kEntropy, HeadMetric::kSelfMass}) {
    const size_t at = static_cast<size_t>(metric) * 2;
    EXPECT_GT(one[at], 0);
    EXPECT_NEAR(four[at], one[at], one[at] * 1e-5);
  }
}

// 45 tokens, each with a channel of its own: logits of others are 200 less.
TEST_F(LayerStatisticsTest, Identity) {
  for (const Attends attends : kAttends) {
    const TestDir dir;
    const QkDescription d = Description({3, 3, 4, 3, 64}, attends, RopeType::kNone);
    const QkStore store =
        StoreOf(dir.path(), d, [](int, int64_t t, int64_t c) { return t == c ? 40.0F : 0.0F; });
    const RowSample sample = AllRows(d.token_grid(d.blocks[0]));
    const LayerStatistics s = ComputeLayerStatistics(store, BlockKind::kGlobal, 0, sample);
    for (int64_t head = 0; head < 2; ++head) {
      const auto mean = [&](HeadMetric metric) { return s.Mean(metric, head); };
      EXPECT_NEAR(mean(HeadMetric::kEntropy), 0, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kEffectiveKeys), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kParticipation), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kSelfMass), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kTop1Mass), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kTop10Mass), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kOwnMass), 1, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kCrossMass), 0, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kSpecialMass), 0, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kMeanDistance), 0, 1e-6);
      EXPECT_NEAR(mean(HeadMetric::kRowSimilarity), 0, 1e-7);
      EXPECT_NEAR(mean(HeadMetric::kFirstFrameMass), 1.0 / 3, 1e-7);
      EXPECT_EQ(mean(HeadMetric::kRopeShare), 0);
    }
    EXPECT_EQ(s.frame_mass, s.frame_mass_before_rope);
    for (int64_t a = 0; a < 3; ++a) {
      for (int64_t b = 0; b < 4; ++b) EXPECT_NEAR(s.frame_mass[a * 4 + b], a == b, 1e-7);
    }
  }
}

TEST_F(LayerStatisticsTest, UniformAttentionGivesItsBaselines) {
  for (const auto& [attends, scene] : {std::pair{Attends::kAll, 0},
                                       {Attends::kAll, 2},
                                       {Attends::kFrame, 0},
                                       {Attends::kCausal, 0}}) {
    for (const bool all : {true, false}) {
      const TestDir dir;
      QkDescription d = Description({3, 4, 5, 3, 16}, attends);
      for (int i = 0; i < scene; ++i) d.blocks[0].scene_tokens.push_back(fmt::format("{}", i));
      const QkStore store = StoreOf(dir.path(), d, [](int which, int64_t t, int64_t c) {
        return which == 0 ? 0 : static_cast<float>((t * 7 + c) % 5);
      });
      const TokenGrid grid = d.token_grid(d.blocks[0]);
      const LayerStatistics s = ComputeLayerStatistics(store, BlockKind::kGlobal, 0,
                                                       all ? AllRows(grid) : SampledRows(grid, 7));
      for (const HeadMetricInfo& info : HeadMetrics()) {
        const double uniform = s.uniform[static_cast<size_t>(info.metric)];
        if (std::isnan(uniform)) continue;
        EXPECT_NEAR(s.Mean(info.metric, 1), uniform, 3e-6 * uniform + 1e-9) << info.name;
      }
      EXPECT_EQ(std::isnan(s.uniform[static_cast<size_t>(HeadMetric::kMutualShare)]),
                !all || attends != Attends::kAll);
      EXPECT_EQ(s.Mean(HeadMetric::kRopeShare, 0), 0);
      if (attends != Attends::kAll) continue;
      EXPECT_NEAR(s.Mean(HeadMetric::kEntropy, 0), std::log(69 + scene), 1e-6);
      EXPECT_NEAR(s.Mean(HeadMetric::kSpecialMass, 0), (9.0 + scene) / (69 + scene), 1e-7);
      for (const float mass : s.key_mass) EXPECT_NEAR(mass, 1.0 / (69 + scene), 1e-8);
    }
  }
}

// Every query gives all it has to the third patch of picture 1.
TEST_F(LayerStatisticsTest, OneSink) {
  const QkDescription d = Description({3, 3, 4, 1, 16}, Attends::kAll, RopeType::kNone);
  const TokenGrid grid = d.token_grid(d.blocks[0]);
  const int64_t sink = grid.first_patch(1) + 2;
  const QkStore store = StoreOf(dir_.path(), d, [&](int which, int64_t t, int64_t) {
    return which == 0 || t == sink ? 6.0F : -6.0F;
  });
  const LayerStatistics s = ComputeLayerStatistics(store, BlockKind::kGlobal, 0, AllRows(grid));
  EXPECT_NEAR(s.Mean(HeadMetric::kTop1Mass, 0), 1, 1e-7);
  EXPECT_NEAR(s.Mean(HeadMetric::kEffectiveKeys, 0), 1, 1e-7);
  EXPECT_NEAR(s.Mean(HeadMetric::kEntropy, 0), 0, 1e-7);
  EXPECT_NEAR(s.Mean(HeadMetric::kRowSimilarity, 0), 1, 1e-6);
  EXPECT_NEAR(s.Mean(HeadMetric::kOwnMass, 0), 1.0 / 3, 1e-7);
  EXPECT_NEAR(s.Mean(HeadMetric::kSelfMass, 0), 1.0 / 36, 1e-7);
  EXPECT_NEAR(s.Mean(HeadMetric::kSameCellMass, 0), 2.0 / 36, 1e-7);
  EXPECT_NEAR(s.key_mass[sink], 1, 1e-7);
  // All groups of queries but those of picture 1's patches, of whom it is part of others.
  const auto other = static_cast<size_t>(TokenGroup::kOtherPatches);
  EXPECT_NEAR(s.flow_mean[other], 1, 1e-7);
  EXPECT_NEAR(s.flow_mean[other * kKeyGroups + other], 0.5, 1e-7);
  EXPECT_NEAR(s.flow_largest[other * kKeyGroups + other], 1, 1e-7);
  // There are no registers.
  EXPECT_TRUE(std::isnan(s.flow_mean[static_cast<size_t>(TokenGroup::kRegisters) * kKeyGroups]));
}

TEST_F(LayerStatisticsTest, RowsOfFrameMassAddUpToOne) {
  const QkStore store(WriteQkStore(dir_.path(), SmallQkDescription(3, 4, 5)), {});
  for (const QkBlocks& blocks : store.description().blocks) {
    const LayerStatistics s = ComputeLayerStatistics(
        store, blocks.kind, 0, AllRows(store.description().token_grid(blocks)));
    for (const auto* masses : {&s.frame_mass, &s.frame_mass_before_rope}) {
      for (size_t row = 0; row < masses->size(); row += 4) {
        double sum = 0;
        for (size_t c = 0; c < 4; ++c) sum += (*masses)[row + c];
        EXPECT_NEAR(sum, 1, 2e-6);
      }
    }
    for (int64_t head = 0; head < s.heads; ++head) {
      double sum = 0;
      for (int64_t t = 0; t < s.grid.tokens(); ++t) sum += s.key_mass[head * s.grid.tokens() + t];
      EXPECT_NEAR(sum, 1, 2e-6);
      EXPECT_NEAR(s.Mean(HeadMetric::kSpecialMass, head) + s.Mean(HeadMetric::kOwnMass, head) +
                      s.Mean(HeadMetric::kCrossMass, head),
                  1, 2e-6);
    }
  }
}

TEST_F(LayerStatisticsTest, ThreadsDoNotMatter) {
  for (const Attends attends : kAttends) {
    // Frames so many that two threads share them out, and seven share out their rows.
    const TestDir dir;
    const QkStore store(WriteQkStore(dir.path(), Description({9, 5, 9, 2, 16}, attends)), {});
    const TokenGrid grid = store.description().token_grid(store.description().blocks[0]);
    for (const RowSample& sample : {AllRows(grid), SampledRows(grid, 20)}) {
      std::vector<LayerStatistics> all;
      for (const int threads : {1, 2, 7}) {
        SetThreadCount(threads);
        all.push_back(ComputeLayerStatistics(store, BlockKind::kGlobal, 0, sample));
      }
      for (const LayerStatistics& s : all) {
        // NaN is not equal to itself.
        const auto same = [](const auto& a, const auto& b) {
          return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto x, auto y) {
            return x == y || (std::isnan(x) && std::isnan(y));
          });
        };
        EXPECT_TRUE(same(s.mean, all[0].mean));
        EXPECT_TRUE(same(s.standard_error, all[0].standard_error));
        EXPECT_TRUE(same(s.frame_mass, all[0].frame_mass));
        EXPECT_TRUE(same(s.frame_mass_before_rope, all[0].frame_mass_before_rope));
        EXPECT_TRUE(same(s.flow_mean, all[0].flow_mean));
        EXPECT_TRUE(same(s.flow_largest, all[0].flow_largest));
        EXPECT_TRUE(same(s.key_mass, all[0].key_mass));
      }
    }
  }
}

TEST_F(LayerStatisticsTest, StopsInTheMiddle) {
  const QkStore store(WriteQkStore(dir_.path(), SmallQkDescription(3, 8, 9)), {});
  const RowSample sample =
      SampledRows(store.description().token_grid(store.description().blocks[0]), 9);
  std::atomic<int> checks = 0;
  ComputeLayerStatistics(store, BlockKind::kGlobal, 0, sample, [&] { ++checks; });
  EXPECT_GE(checks, 6);  // before each head's work and each of its blocks
  std::atomic<int> asked = 0;
  EXPECT_THROW(ComputeLayerStatistics(store, BlockKind::kGlobal, 0, sample,
                                      [&] {
                                        if (++asked == 3) throw testing::Cancelled();
                                      }),
               testing::Cancelled);
}

TEST_F(LayerStatisticsTest, RefusesWhatIsNotThere) {
  QkDescription d = SmallQkDescription();
  d.blocks.resize(1);
  const auto file = WriteQkStore(dir_.path(), d);
  const RowSample all = AllRows(d.token_grid(d.blocks[0]));
  std::vector<float> q = testing::QkValues(d, d.blocks[0], 1, 0);
  q[20 * 16 + 3] = NAN;
  WriteQkLayer(dir_ / "qk/global_05.safetensors", d.shape(d.blocks[0]), q,
               testing::QkValues(d, d.blocks[0], 1, 1));
  const QkStore store(file, {});
  const auto error = [&](BlockKind kind, size_t layer, const RowSample& sample) {
    return ErrorOf([&] { return ComputeLayerStatistics(store, kind, layer, sample).heads; });
  };
  EXPECT_THAT(error(BlockKind::kEncoder, 0, all), HasSubstr("has no encoder blocks"));
  EXPECT_THAT(error(BlockKind::kGlobal, 2, all), HasSubstr("no layer at place 2"));
  EXPECT_THAT(error(BlockKind::kGlobal, 1, all),
              HasSubstr("global_05.safetensors: holds queries or keys that are infinite"));
  for (const std::vector<int64_t>& patches : {std::vector<int64_t>{}, {-1}, {12}, {3, 3}, {4, 3}}) {
    EXPECT_THAT(error(BlockKind::kGlobal, 0, {patches, false}),
                HasSubstr("not ascending patches from 0 to 11"));
  }
}

}  // namespace
}  // namespace vggt
