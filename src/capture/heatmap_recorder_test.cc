// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <gmock/gmock.h>

#include <random>

#include "core/parallel.h"
#include "store/export/export_reader.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::TestDir;

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
  // What a recorder should write.
  LayerMaps Expected(const MapPlan& plan, bool per_head) const {
    std::vector<float> out(plan.rows.size() * plan.keys.size() * (per_head ? kHeads : 1));
    AttentionWorkspace workspace;
    ProbeAttention(qk().shape(), qk().q, qk().k,
                   {plan.rows, plan.keys, !per_head, out.data(), plan.seen}, workspace);
    return QuantizeLayer(out.data(), plan.extents(kHeads, 2), per_head);
  }
  std::vector<float> values;
};

// An export that a recorder writes.
class Recorded {
 public:
  Recorded(const TokenGrid& grid, const MapPlan& plan)
      : writer_(dir_.path(), "set", Common(grid, plan), false) {}

  MapWriter& writer() { return writer_; }
  Export Finish() {
    writer_.Finish();
    return OpenExport(dir_.path());
  }

 private:
  static LayerMetadata Common(const TokenGrid& grid, const MapPlan& plan) {
    LayerMetadata common;
    common.frames = grid.frames;
    common.H_p = grid.height;
    common.W_p = grid.width;
    common.H_ds = plan.map_height;
    common.W_ds = plan.map_width;
    common.image_paths.assign(grid.frames, "../images/frame_00.png");
    return common;
  }

  TestDir dir_;
  MapWriter writer_;
};

void ExpectLayer(const MapLayer& got, const LayerMaps& expected) {
  const StoredMaps maps = ReadMaps(got);
  EXPECT_EQ(maps.shape, expected.shape());
  EXPECT_EQ(maps.levels, expected.levels);
  EXPECT_EQ(got.metadata.layer_vmax99, expected.layer_vmax99);
  EXPECT_EQ(got.metadata.per_head_vmax99, expected.per_head_vmax99);
}

TEST(HeatmapRecorder, WritesWantedLayers) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer a(1), b(2), c(3);
  Recorded recorded(kLayout, plan);
  HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), false, {true, false, true},
                           recorded.writer());
  recorder.OnQueriesKeys(0, a.qk());
  recorder.OnQueriesKeys(1, b.qk());
  recorder.OnQueriesKeys(2, c.qk());
  const Export got = recorded.Finish();
  ASSERT_EQ(got.maps.size(), 2U);
  EXPECT_EQ(got.maps[0].index, 0);
  EXPECT_EQ(got.maps[1].index, 2);
  ExpectLayer(got.maps[0], a.Expected(plan, false));
  ExpectLayer(got.maps[1], c.Expected(plan, false));
  EXPECT_GT(recorder.busy_seconds(), 0);
}

// Of one head at a time, several, or all.
TEST(HeatmapRecorder, PerHeadKeepsHeadsApartOnAnyNumberOfThreads) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer layer(4);
  const LayerMaps expected = layer.Expected(plan, true);
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    Recorded recorded(kLayout, plan);
    HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), true, {true}, recorded.writer());
    recorder.OnQueriesKeys(0, layer.qk());
    const Export got = recorded.Finish();
    EXPECT_EQ(ReadMaps(got.maps[0]).shape, (Shape{6, 3, 2, 2, 3}));
    ExpectLayer(got.maps[0], expected);
  }
}

TEST(HeatmapRecorder, OfCausalModelsLaterFramesAreZero) {
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1, Attends::kCausal);
  const Layer layer(5);
  for (const bool per_head : {false, true}) {
    Recorded recorded(kLayout, plan);
    HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), per_head, {true}, recorded.writer());
    recorder.OnQueriesKeys(0, layer.qk());
    const Export got = recorded.Finish();
    ExpectLayer(got.maps[0], layer.Expected(plan, per_head));
    const StoredMaps maps = ReadMaps(got.maps[0]);
    for (size_t i = 0; i < maps.levels.size(); ++i) {
      if (i / 6 % 2 == 1) {
        ASSERT_EQ(maps.levels[i], 0) << "at " << i;
      }
    }
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
  Recorded recorded(layout, plan);
  HeatmapRecorder recorder(plan, plan.extents(1, 1), true, {true}, recorded.writer());
  recorder.OnQueriesKeys(0, qk);
  ExpectLayer(recorded.Finish().maps[0], expected);
}

TEST(HeatmapRecorder, WhatTheWriterThrowsReachesTheModel) {
  const TestDir dir;
  const MapPlan plan = MakeMapPlan(kLayout, 1, 1);
  const Layer layer(1);
  MapWriter writer(dir.path(), "set", {}, false);
  dir.Write("attn_maps/layer_01", "a file where the folder should be");
  HeatmapRecorder recorder(plan, plan.extents(kHeads, 2), false, {true}, writer);
  EXPECT_THAT(testing::ErrorOf([&] { recorder.OnQueriesKeys(0, layer.qk()); }),
              HasSubstr("layer_01"));
}

}  // namespace
}  // namespace vggt
