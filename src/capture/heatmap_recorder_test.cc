// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <gmock/gmock.h>

#include <random>

#include "core/parallel.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

const TokenGrid kLayout{.frames = 2, .special_tokens = 1, .height = 2, .width = 3};
constexpr int64_t kHeads = 3, kHeadDim = 4, kTokens = 14;

// Plays the model: queries and keys of a layer, side by side.
struct Layer {
  explicit Layer(int seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, 2);
    values.resize(kTokens * 2 * kHeads * kHeadDim);
    for (float& value : values) value = normal(generator);
  }
  QueriesKeys qk() const {
    return {.q = values.data(),
            .k = values.data() + kHeads * kHeadDim,
            .grid = kLayout,
            .heads = kHeads,
            .head_dim = kHeadDim,
            .token_stride = 2 * kHeads * kHeadDim};
  }
  // What a recorder should hand on.
  LayerMaps Expected(const MapPlan& plan, bool per_head) const {
    std::vector<float> out(plan.rows.size() * plan.keys.size() * (per_head ? kHeads : 1));
    AttentionWorkspace workspace;
    ProbeAttention(qk().shape(), qk().q, qk().k, {plan.rows, plan.keys, !per_head, out.data()},
                   workspace);
    return QuantizeLayer(out.data(), plan.extents(kHeads, 2), per_head);
  }
  std::vector<float> values;
};

TEST(HeatmapRecorder, HandsOnWantedLayersInOrder) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer a(1), b(2), c(3);
  std::vector<int64_t> layers;
  std::vector<double> vmax;
  std::vector<uint8_t> levels;
  HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), false, {true, false, true},
                           [&](int64_t layer, const LayerMaps& maps) {
                             layers.push_back(layer);
                             vmax.push_back(maps.layer_vmax99);
                             levels = maps.levels;
                           });
  recorder.OnQueriesKeys(0, a.qk());
  recorder.OnQueriesKeys(1, b.qk());
  recorder.OnQueriesKeys(2, c.qk());
  EXPECT_THAT(layers, ElementsAre(0, 2));
  const LayerMaps expected = c.Expected(plan, false);
  EXPECT_THAT(vmax, ElementsAre(a.Expected(plan, false).layer_vmax99, expected.layer_vmax99));
  EXPECT_EQ(levels, expected.levels);
  EXPECT_GT(recorder.busy_seconds(), 0);
}

// Of one head at a time, several, or all.
TEST(HeatmapRecorder, PerHeadKeepsHeadsApartOnAnyNumberOfThreads) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer layer(4);
  const LayerMaps expected = layer.Expected(plan, true);
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    LayerMaps got;
    HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), true, {true},
                             [&](int64_t, const LayerMaps& maps) { got = maps; });
    recorder.OnQueriesKeys(0, layer.qk());
    EXPECT_EQ(got.shape(), (Shape{6, 3, 2, 2, 3}));
    EXPECT_EQ(got.levels, expected.levels);
    EXPECT_EQ(got.per_head_vmax99, expected.per_head_vmax99);
    EXPECT_EQ(got.layer_vmax99, expected.layer_vmax99);
  }
}

// One query in sixteen is sampled; here those attend to a tenth of the keys, all others evenly: the
// layer's percentile is far below what the sample says.
TEST(HeatmapRecorder, ASampleThatMisleadsCostsTimeOnly) {
  const TokenGrid layout{.frames = 1, .special_tokens = 0, .height = 16, .width = 20};
  const MapPlan plan = MakeMapPlan(layout, 1, 1);
  std::vector<float> q(320), k(320, 0);
  for (size_t i = 0; i < q.size(); ++i) q[i] = i % 20 == 10 ? 1 : 1e-5F * static_cast<float>(i);
  for (size_t i = 0; i < 32; ++i) k[i] = 50;
  const QueriesKeys qk{q.data(), k.data(), {1, 0, 1, 320}, 1, 1, 1};
  std::vector<float> out(320 * 320);
  AttentionWorkspace workspace;
  ProbeAttention(qk.shape(), q.data(), k.data(), {plan.rows, plan.keys, false, out.data()},
                 workspace);
  const LayerMaps expected = QuantizeLayer(out.data(), plan.extents(1, 1), true);
  LayerMaps got;
  HeatmapRecorder recorder(plan, plan.extents(1, 1), true, {true},
                           [&](int64_t, const LayerMaps& maps) { got = maps; });
  recorder.OnQueriesKeys(0, qk);
  EXPECT_EQ(got.levels, expected.levels);
  EXPECT_EQ(got.layer_vmax99, expected.layer_vmax99);
}

TEST(HeatmapRecorder, WhatTheSinkThrowsReachesTheModel) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer layer(1);
  HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), false, {true},
                           [](int64_t, const LayerMaps&) { throw Error("the disk is full"); });
  EXPECT_EQ(testing::ErrorOf([&] { recorder.OnQueriesKeys(0, layer.qk()); }), "the disk is full");
}

}  // namespace
}  // namespace vggt
