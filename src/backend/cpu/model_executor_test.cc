// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/model_executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <thread>

#include "backend/cpu/bf16_support.h"
#include "core/parallel.h"
#include "ops/attention_probe.h"
#include "ops/reference.h"
#include "trace_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::Trace;

// The plan up to a layer's queries and keys.
ModelPlan UpTo(const ModelPlan& plan, int64_t last_layer) {
  return TruncatePlan(plan, {BlockKind::kGlobal, last_layer});
}

TokenGrid GridOf(const Trace& trace) { return trace.plan().grid(trace.frames()); }

// Keeps everything it is shown.
class Recorder : public AttentionObserver {
 public:
  Recorder(const Trace& trace, bool average) : Recorder(GridOf(trace), average) {}
  Recorder(const TokenGrid& grid, bool average) : grid_(grid), average_(average) {
    const auto patches = static_cast<int32_t>(grid.patches());
    for (int64_t s = 0; s < grid.frames; ++s) {
      for (int64_t i = 0; i < patches; ++i) {
        keys_.push_back(static_cast<int32_t>(grid.first_patch(s) + i));
      }
    }
    rows_.assign(keys_.begin(), keys_.begin() + patches);
  }

  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override {
    EXPECT_EQ(layer, static_cast<int64_t>(q.size()));
    EXPECT_EQ(qk.grid, grid_);
    q.push_back(HeadMajor(qk, qk.q));
    k.push_back(HeadMajor(qk, qk.k));
    maps.emplace_back(rows_.size() * keys_.size() * (average_ ? 1 : qk.heads));
    ProbeAttention(qk.shape(), qk.q, qk.k, {rows_, keys_, average_, maps.back().data()},
                   workspace_);
  }
  bool WantsUnrotated(BlockId block) const override {
    return !only.has_value() || *only == BlockText(block);
  }
  void OnUnrotated(BlockId block, const QueriesKeys& qk) override {
    EXPECT_TRUE(unrotated.try_emplace(BlockText(block)).second);
    unrotated[BlockText(block)] = {HeadMajor(qk, qk.q), HeadMajor(qk, qk.k)};
  }

  std::vector<std::vector<float>> q, k, maps;  // [heads, tokens, head_dim]; [rows, heads, keys]
  std::map<std::string, std::array<std::vector<float>, 2>> unrotated;  // by block
  std::optional<std::string> only;                                     // the block to watch

 private:
  static std::vector<float> HeadMajor(const QueriesKeys& qk, const float* x) {
    std::vector<float> out;
    for (int64_t h = 0; h < qk.heads; ++h) {
      for (int64_t t = 0; t < qk.tokens(); ++t) {
        const float* from = x + t * qk.token_stride + h * qk.head_dim;
        out.insert(out.end(), from, from + qk.head_dim);
      }
    }
    return out;
  }

  TokenGrid grid_;
  bool average_;
  std::vector<int32_t> rows_, keys_;
  AttentionWorkspace workspace_;
};

ModelExecutor MakeExecutor(const Trace& trace, int64_t last_layer,
                           Precision precision = Precision::kF32) {
  return ModelExecutor(
      LoadParameters(trace.checkpoint(), UpTo(trace.plan(), last_layer), precision));
}

void ExpectNear(const std::vector<float>& got, const std::vector<double>& expected,
                double tolerance, const std::string& name) {
  ASSERT_EQ(got.size(), expected.size()) << name;
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - expected[i]));
  EXPECT_LE(worst, tolerance) << name;
}

TEST(Executor, EveryIntermediateEqualsTheTrace) {
  const Trace trace;
  const ModelExecutor executor = MakeExecutor(trace, 1);
  Recorder recorder(trace, false);
  std::vector<double> shares;
  executor.Forward(trace.frames(), recorder,
                   [&](const ForwardProgress& p) { shares.push_back(p.share); });
  ASSERT_EQ(recorder.q.size(), 2U);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = "global_" + std::to_string(i);
    // float32 against the specification's float64; q and k are of the order of 1.
    ExpectNear(recorder.q[i], Trace::Load(layer + "_q"), 5e-5, layer + "_q");
    ExpectNear(recorder.k[i], Trace::Load(layer + "_k"), 5e-5, layer + "_k");
    ExpectNear(recorder.maps[i], Trace::Load(layer + "_first_to_all"), 1e-5, layer);
  }
  EXPECT_EQ(shares.size(), 6U);  // two encoder blocks, two pairs
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_NEAR(shares.back(), 1, 1e-9);
}

TEST(Executor, QueriesAndKeysBeforeRopeEqualTheTrace) {
  const Trace trace;
  Recorder recorder(trace, false);
  MakeExecutor(trace, 1).Forward(trace.frames(), recorder);
  EXPECT_EQ(recorder.unrotated.size(), 6U);  // two blocks of each group
  for (int i = 0; i < 2; ++i) {
    for (const char* group : {"frame", "encoder"}) {
      const auto& qk = recorder.unrotated[fmt::format("{} block {}", group, i + 1)];
      // float32 against the specification's float64; the encoder's q and k are not normalised.
      ExpectNear(qk[0], Trace::Load(fmt::format("{}_{}_q_unrotated", group, i)), 5e-5, group);
      ExpectNear(qk[1], Trace::Load(fmt::format("{}_{}_k_unrotated", group, i)), 5e-5, group);
    }
    // Global blocks': rotated, they are those of the trace. Frames of 5 × 7 patches.
    std::vector<int32_t> yx;
    for (int32_t t = 0; t < 80; ++t) {
      const int32_t patch = t % 40 - 5;
      yx.insert(yx.end(), {patch < 0 ? 0 : patch / 7 + 1, patch < 0 ? 0 : patch % 7 + 1});
    }
    auto qk = recorder.unrotated[fmt::format("global block {}", i + 1)];
    const char* names[] = {"q", "k"};
    for (int which = 0; which < 2; ++which) {
      for (int64_t h = 0; h < 2; ++h)
        reference::Rope(80, 1, 64, 64, yx.data(), &qk[which][h * 80 * 64]);
      const std::string name = fmt::format("global_{}_{}", i, names[which]);
      ExpectNear(qk[which], Trace::Load(name), 5e-5, name);
    }
  }
}

// Keeps the norms of what it is shown of some block.
class OutputRecorder : public AttentionObserver {
 public:
  explicit OutputRecorder(BlockKind kind) : kind_(kind) {}

  bool WantsOutput(BlockId block) const override { return block.kind == kind_; }
  void OnOutput(BlockId block, const BlockOutput& o) override {
    EXPECT_EQ(block, (BlockId{kind_, static_cast<int64_t>(x.size())}));
    x.emplace_back();
    for (int64_t t = 0; t < o.grid.tokens(); ++t) {
      double squares = 0;
      for (int64_t c = 0; c < o.channels; ++c) squares += std::pow(o.x[t * o.channels + c], 2);
      x.back().push_back(static_cast<float>(std::sqrt(squares)));
    }
    grams = o.output_grams != nullptr;
    if (!grams) return;
    projected.emplace_back();
    const int64_t d = o.head_dim;
    for (int64_t h = 0; h < o.heads; ++h) {
      for (int64_t t = 0; t < o.grid.tokens(); ++t) {
        const float* v = o.v + t * o.token_stride + h * d;
        double form = 0;
        for (int64_t i = 0; i < d * d; ++i) {
          form += double{v[i / d]} * o.output_grams[h * d * d + i] * v[i % d];
        }
        projected.back().push_back(static_cast<float>(std::sqrt(form)));
      }
    }
  }

  std::vector<std::vector<float>> x, projected;  // [tokens], [heads, tokens] of each block
  bool grams = false;

 private:
  BlockKind kind_;
};

TEST(Executor, OutputsEqualTheTrace) {
  const Trace trace;
  ModelPlan plan = trace.plan();
  for (const BlockKind kind : kBlockKinds)
    plan.taps.insert(plan.taps.end(), {{kind, 0}, {kind, 1}});
  // Of each group the last block is wanted; it is run to its end.
  for (const BlockKind kind : kBlockKinds) {
    OutputRecorder recorder(kind);
    ModelExecutor(
        LoadParameters(trace.checkpoint(), TruncatePlan(plan, {kind, 1}), Precision::kF32))
        .Forward(trace.frames(), recorder);
    ASSERT_EQ(recorder.projected.size(), 2U);
    for (int i = 0; i < 2; ++i) {
      const std::string block = fmt::format("{}_{}_", BlockKindName(kind), i);
      // float32 against float64; norms are of the order of 10.
      ExpectNear(recorder.x[i], Trace::Load(block + "x_norm"), 1e-4, block);
      ExpectNear(recorder.projected[i], Trace::Load(block + "wov_norm"), 1e-4, block);
    }
  }
}

TEST(Executor, OnlyWholeBlocksHaveOutputsAndOnlyTappedOnesGrams) {
  const Trace trace;
  OutputRecorder recorder(BlockKind::kGlobal);
  MakeExecutor(trace, 1).Forward(trace.frames(), recorder);
  EXPECT_EQ(recorder.x.size(), 1U);
  EXPECT_FALSE(recorder.grams);
}

TEST(Executor, WatchingABlockChangesNothing) {
  const Trace trace;
  Recorder all(trace, false);
  MakeExecutor(trace, 1).Forward(trace.frames(), all);
  for (const auto& [block, qk] : all.unrotated) {
    Recorder one(trace, false);
    one.only = block;
    MakeExecutor(trace, 1).Forward(trace.frames(), one);
    ASSERT_EQ(one.unrotated.size(), 1U);
    EXPECT_EQ(one.unrotated[block], qk) << block;
    EXPECT_EQ(one.maps, all.maps) << block;
  }
}

TEST(Executor, AveragedMapsAreTheMeanOverHeads) {
  const Trace trace;
  const ModelExecutor executor = MakeExecutor(trace, 1);
  Recorder recorder(trace, true);
  executor.Forward(trace.frames(), recorder);
  const auto expected = Trace::Load("global_1_first_to_all");
  const int64_t keys = 70, heads = trace.plan().first(BlockKind::kGlobal)->heads;
  std::vector<double> mean(35 * keys);
  for (int64_t row = 0; row < 35; ++row) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t j = 0; j < keys; ++j) {
        mean[row * keys + j] += expected[(row * heads + h) * keys + j] / static_cast<double>(heads);
      }
    }
  }
  ExpectNear(recorder.maps[1], mean, 1e-5, "mean");
}

TEST(Executor, StoppingEarlierChangesNothingBefore) {
  const Trace trace;
  Recorder whole(trace, false), early(trace, false);
  MakeExecutor(trace, 1).Forward(trace.frames(), whole);
  MakeExecutor(trace, 0).Forward(trace.frames(), early);
  ASSERT_EQ(early.maps.size(), 1U);
  ExpectNear(early.maps[0], {whole.maps[0].begin(), whole.maps[0].end()}, 1e-6, "layer 1");
}

// How far a pass in bf16 is from one in float32, over one layer's maps.
struct Distance {
  double mean = 0, high = 0;  // of |Δp|: mean, 99.9th percentile
  double same_best = 0;       // share of (query, head, frame) whose largest p is the same patch
};

Distance Compare(const std::vector<float>& a, const std::vector<float>& b, int64_t patches) {
  Distance distance;
  std::vector<double> errors;
  for (size_t i = 0; i < a.size(); ++i) errors.push_back(std::abs(a[i] - b[i]));
  for (const double e : errors) distance.mean += e / static_cast<double>(errors.size());
  std::sort(errors.begin(), errors.end());
  distance.high = errors[errors.size() * 999 / 1000];
  int64_t maps = 0, same = 0;
  for (auto from = a.begin(), other = b.begin(); from != a.end();
       from += patches, other += patches, ++maps) {
    same += std::max_element(from, from + patches) - from ==
            std::max_element(other, other + patches) - other;
  }
  distance.same_best = static_cast<double>(same) / static_cast<double>(maps);
  return distance;
}

TEST(Executor, Bf16StaysNearTheTrace) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  const Trace trace;
  const ModelExecutor executor = MakeExecutor(trace, 1, Precision::kBf16);
  EXPECT_EQ(executor.precision(), Precision::kBf16);
  Recorder recorder(trace, false);
  executor.Forward(trace.frames(), recorder);
  for (int i = 0; i < 2; ++i) {
    const auto expected = Trace::Load("global_" + std::to_string(i) + "_first_to_all");
    const Distance d =
        Compare(recorder.maps[i], {expected.begin(), expected.end()}, GridOf(trace).patches());
    // Probabilities are 1/70 on average, the largest of them near 1.
    EXPECT_LT(d.mean, 2e-4) << i;
    EXPECT_LT(d.high, 6e-3) << i;
    EXPECT_GT(d.same_best, 0.97) << i;
    EXPECT_GT(d.mean, 1e-7) << "not computed in bf16 at all";
    RecordProperty("mean_" + std::to_string(i), std::to_string(d.mean));
    RecordProperty("high_" + std::to_string(i), std::to_string(d.high));
    RecordProperty("same_best_" + std::to_string(i), std::to_string(d.same_best));
  }
}

TEST(Executor, ThreadsDoNotMatter) {
  const Trace trace;
  const int before = ThreadCount();
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (precision == Precision::kBf16 && !MultipliesBf16()) continue;
    for (const bool average : {false, true}) {
      std::vector<std::vector<std::vector<float>>> maps;
      for (const int threads : {1, 2, 7}) {
        SetThreadCount(threads);
        Recorder recorder(trace, average);
        MakeExecutor(trace, 1, precision).Forward(trace.frames(), recorder);
        maps.push_back(std::move(recorder.maps));
      }
      EXPECT_EQ(maps[0], maps[1]) << PrecisionName(precision);
      EXPECT_EQ(maps[0], maps[2]) << PrecisionName(precision);
    }
  }
  SetThreadCount(before);
}

TEST(Executor, OddSizesInBf16) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  // Heads of 16 without an encoder; one patch, one row of patches, one picture, sizes of no tile.
  const testing::TestDir dir;
  const ModelPlan plan = UpTo(SyntheticPresets()[3].plan, 2);
  WriteSyntheticCheckpoint(dir / "w", SyntheticPresets()[3].plan, DType::kF32, 1);
  const Checkpoint checkpoint = Checkpoint::Open(dir / "w");
  const ModelExecutor f32(LoadParameters(checkpoint, plan, Precision::kF32));
  const ModelExecutor bf16(LoadParameters(checkpoint, plan, Precision::kBf16));
  for (const auto& [count, rows, cols] :
       {std::tuple{1, 1, 1}, {1, 1, 13}, {3, 7, 5}, {2, 17, 1}, {1, 20, 21}}) {
    std::vector<uint8_t> rgb(count * rows * cols * 14 * 14 * 3);
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 2654435761U >> 24);
    const FrameBatch frames{count, rows * 14, cols * 14, rgb.data()};
    Recorder a(plan.grid(frames), false), b(plan.grid(frames), false);
    f32.Forward(frames, a);
    bf16.Forward(frames, b);
    for (size_t layer = 0; layer < 3; ++layer) {
      const Distance d = Compare(a.maps[layer], b.maps[layer], rows * cols);
      const double patches = static_cast<double>(count * rows * cols);
      EXPECT_LT(d.mean * patches, 0.02) << count << " × " << rows << " × " << cols;
      EXPECT_GT(d.same_best, 0.9) << count << " × " << rows << " × " << cols;
    }
  }
}

TEST(Executor, ProgressMayStopThePass) {
  const Trace trace;
  Recorder recorder(trace, false);
  EXPECT_THROW(MakeExecutor(trace, 1).Forward(trace.frames(), recorder,
                                              [](const ForwardProgress&) { throw Interrupted(); }),
               Interrupted);
  EXPECT_TRUE(recorder.q.empty());
}

TEST(Executor, SaysWhereValuesBecameInfinite) {
  const Trace trace;
  ModelParameters parameters =
      LoadParameters(trace.checkpoint(), UpTo(trace.plan(), 1), Precision::kF32);
  ASSERT_EQ(parameters.plan.stages[1].blocks[2].id, (BlockId{BlockKind::kFrame, 1}));
  NormParameters& norm = parameters.stages[1].blocks[2].norm1;
  norm.weight[3] = norm.bias[3] = std::numeric_limits<float>::max();
  Recorder recorder(trace, false);
  const std::string error = testing::ErrorOf(
      [&] { ModelExecutor(std::move(parameters)).Forward(trace.frames(), recorder); });
  EXPECT_THAT(error, HasSubstr("infinite or NaN in frame block 2"));
}

// What a softmax may turn into plausible numbers.
TEST(Executor, SaysWhichBlocksQueriesAndKeysAreNotFinite) {
  const Trace trace;
  std::vector<Precision> precisions = {Precision::kF32};
  if (MultipliesBf16()) precisions.push_back(Precision::kBf16);
  for (const Precision precision : precisions) {
    for (const size_t block : {2, 3}) {  // a frame block, and a global block
      for (const bool key : {false, true}) {
        // The first makes infinity, the second products that are.
        for (const float large : {std::numeric_limits<float>::max(), 0x1p70F}) {
          ModelParameters parameters =
              LoadParameters(trace.checkpoint(), UpTo(trace.plan(), 1), precision);
          BlockParameters& damaged = parameters.stages[1].blocks[block];
          NormParameters& norm = key ? *damaged.k_norm : *damaged.q_norm;
          norm.weight[3] = norm.bias[3] = large;
          Recorder recorder(trace, false);
          const std::string error = testing::ErrorOf(
              [&] { ModelExecutor(std::move(parameters)).Forward(trace.frames(), recorder); });
          EXPECT_THAT(error, HasSubstr(block == 2 ? "infinite or NaN in frame block 2"
                                                  : "infinite or NaN in global block 2"));
          EXPECT_EQ(recorder.q.size(), 1U);
        }
      }
    }
  }
}

TEST(Executor, SaysThatTheEncoderMadeInfiniteValues) {
  const Trace trace;
  ModelParameters parameters =
      LoadParameters(trace.checkpoint(), UpTo(trace.plan(), 0), Precision::kF32);
  parameters.stages[0].norm->bias[0] = std::numeric_limits<float>::infinity();
  Recorder recorder(trace, false);
  EXPECT_THAT(testing::ErrorOf(
                  [&] { ModelExecutor(std::move(parameters)).Forward(trace.frames(), recorder); }),
              HasSubstr("infinite or NaN in the picture encoder, block 2"));
}

TEST(Executor, AnyBlockMayBeTheLast) {
  const Trace trace;
  Recorder whole(trace, false);
  MakeExecutor(trace, 1).Forward(trace.frames(), whole);
  size_t seen = 0;
  for (const StageSpec& stage : trace.plan().stages) {
    for (const BlockSpec& block : stage.blocks) {
      Recorder part(trace, false);
      ModelExecutor(
          LoadParameters(trace.checkpoint(), TruncatePlan(trace.plan(), block.id), Precision::kF32))
          .Forward(trace.frames(), part);
      EXPECT_EQ(part.unrotated.size(), ++seen);
      const std::string name = BlockText(block.id);
      for (int which = 0; which < 2; ++which) {
        const auto& expected = whole.unrotated[name][which];
        ExpectNear(part.unrotated[name][which], {expected.begin(), expected.end()}, 1e-6, name);
      }
    }
  }
}

TEST(Executor, AWholePlanRunsToItsEnd) {
  const Trace trace;
  Recorder whole(trace, false), cut(trace, false);
  ModelExecutor(LoadParameters(trace.checkpoint(), trace.plan(), Precision::kF32))
      .Forward(trace.frames(), whole);
  MakeExecutor(trace, 1).Forward(trace.frames(), cut);
  ASSERT_EQ(whole.maps.size(), 2U);
  ExpectNear(whole.maps[1], {cut.maps[1].begin(), cut.maps[1].end()}, 1e-6, "layer 2");
}

TEST(Executor, SeveralThreadsMayRunOneModel) {
  const Trace trace;
  const ModelExecutor executor = MakeExecutor(trace, 1);
  // The same pictures, and fewer of them, so that the passes' numbers of rows differ.
  FrameBatch fewer = trace.frames();
  fewer.count = 1;
  const FrameBatch batches[] = {trace.frames(), fewer};
  const auto run = [&](const FrameBatch& frames) {
    Recorder recorder(trace.plan().grid(frames), false);
    executor.Forward(frames, recorder);
    return std::move(recorder.maps);
  };
  std::vector<std::vector<std::vector<float>>> alone, together(2);
  for (const FrameBatch& frames : batches) alone.push_back(run(frames));
  for (int round = 0; round < 3; ++round) {
    std::thread other([&] { together[1] = run(batches[1]); });
    together[0] = run(batches[0]);
    other.join();
    EXPECT_EQ(together, alone);
  }
}

}  // namespace
}  // namespace vggt
