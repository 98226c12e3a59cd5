// SPDX-License-Identifier: Apache-2.0
#include "model/aggregator.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/parallel.h"
#include "trace_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::Trace;

// Keeps everything it is shown.
class Recorder : public AttentionObserver {
 public:
  Recorder(const Trace& trace, bool average) : frames_(trace.frames()), average_(average) {
    const auto patches = static_cast<int32_t>(frames_.patches());
    for (int32_t s = 0; s < frames_.count; ++s) {
      for (int32_t i = 0; i < patches; ++i) keys_.push_back(s * (5 + patches) + 5 + i);
    }
    rows_.assign(keys_.begin(), keys_.begin() + patches);
    heads_ = trace.config().heads();
  }

  const AttentionProbe* Probe(int64_t /*layer*/) override {
    maps.emplace_back(rows_.size() * keys_.size() * (average_ ? 1 : heads_));
    probe_ = {rows_, keys_, average_, maps.back().data()};
    return &probe_;
  }
  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override {
    EXPECT_EQ(layer, static_cast<int64_t>(q.size()));
    q.push_back(HeadMajor(qk, qk.q));
    k.push_back(HeadMajor(qk, qk.k));
  }
  void OnLayer(int64_t layer) override { layers.push_back(layer); }

  std::vector<std::vector<float>> q, k, maps;  // [heads, tokens, head_dim]; [rows, heads, keys]
  std::vector<int64_t> layers;

 private:
  static std::vector<float> HeadMajor(const QueriesKeys& qk, const float* x) {
    std::vector<float> out;
    for (int64_t h = 0; h < qk.heads; ++h) {
      for (int64_t t = 0; t < qk.tokens; ++t) {
        const float* from = x + t * qk.token_stride + h * qk.head_dim;
        out.insert(out.end(), from, from + qk.head_dim);
      }
    }
    return out;
  }

  FrameBatch frames_;
  bool average_;
  int64_t heads_;
  std::vector<int32_t> rows_, keys_;
  AttentionProbe probe_;
};

Aggregator MakeAggregator(const Trace& trace, int64_t last_layer,
                          Precision precision = Precision::kF32) {
  return {trace.config(),
          LoadParameters(trace.checkpoint(), trace.config(), last_layer, precision)};
}

void ExpectNear(const std::vector<float>& got, const std::vector<double>& expected,
                double tolerance, const std::string& name) {
  ASSERT_EQ(got.size(), expected.size()) << name;
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - expected[i]));
  EXPECT_LE(worst, tolerance) << name;
}

TEST(Aggregator, EveryIntermediateEqualsTheTrace) {
  const Trace trace;
  const Aggregator aggregator = MakeAggregator(trace, 1);
  Recorder recorder(trace, false);
  std::vector<double> shares;
  aggregator.Forward(trace.frames(), recorder,
                     [&](const ForwardProgress& p) { shares.push_back(p.share); });
  EXPECT_THAT(recorder.layers, ::testing::ElementsAre(0, 1));
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

TEST(Aggregator, AveragedMapsAreTheMeanOverHeads) {
  const Trace trace;
  const Aggregator aggregator = MakeAggregator(trace, 1);
  Recorder recorder(trace, true);
  aggregator.Forward(trace.frames(), recorder);
  const auto expected = Trace::Load("global_1_first_to_all");
  const int64_t keys = 70, heads = trace.config().heads();
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

TEST(Aggregator, StoppingEarlierChangesNothingBefore) {
  const Trace trace;
  Recorder whole(trace, false), early(trace, false);
  MakeAggregator(trace, 1).Forward(trace.frames(), whole);
  MakeAggregator(trace, 0).Forward(trace.frames(), early);
  ASSERT_EQ(early.maps.size(), 1U);
  ExpectNear(early.maps[0], {whole.maps[0].begin(), whole.maps[0].end()}, 1e-6, "layer 1");
}

TEST(Aggregator, ProgressMayStopThePass) {
  const Trace trace;
  Recorder recorder(trace, false);
  EXPECT_THROW(MakeAggregator(trace, 1).Forward(
                   trace.frames(), recorder, [](const ForwardProgress&) { throw Interrupted(); }),
               Interrupted);
  EXPECT_TRUE(recorder.layers.empty());
}

TEST(Aggregator, SaysWhereValuesBecameInfinite) {
  const Trace trace;
  AggregatorParameters parameters =
      LoadParameters(trace.checkpoint(), trace.config(), 1, Precision::kF32);
  parameters.frame_blocks[1].norm1.weight[3] = std::numeric_limits<float>::max();
  parameters.frame_blocks[1].norm1.bias[3] = std::numeric_limits<float>::max();
  Recorder recorder(trace, false);
  const std::string error = testing::ErrorOf(
      [&] { Aggregator(trace.config(), std::move(parameters)).Forward(trace.frames(), recorder); });
  EXPECT_THAT(error, HasSubstr("infinite or NaN in frame block 2"));
}

}  // namespace
}  // namespace vggt
