// SPDX-License-Identifier: Apache-2.0
#include "capture/heatmap_recorder.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

const TokenLayout kLayout{.frames = 2, .special_tokens = 1, .grid_height = 1, .grid_width = 2};

// Plays the model: fills the probe of a layer with `value` · (1, 2, 3, …).
void RunLayer(HeatmapRecorder& recorder, int64_t layer, size_t size, float value) {
  const AttentionProbe* probe = recorder.Probe(layer);
  ASSERT_NE(probe, nullptr);
  for (size_t i = 0; i < size; ++i) probe->out[i] = value * static_cast<float>(i + 1);
  recorder.OnLayer(layer);
}

TEST(HeatmapRecorder, HandsOnWantedLayersInOrder) {
  const QueryPlan plan = MakeQueryPlan(kLayout, 1, 1);
  const MapExtents extents = plan.extents(3, 2);
  std::vector<int64_t> layers;
  std::vector<double> vmax;
  std::vector<uint8_t> levels;
  HeatmapRecorder recorder(plan, extents, false, {true, false, true},
                           [&](int64_t layer, const LayerMaps& maps) {
                             layers.push_back(layer);
                             vmax.push_back(maps.layer_vmax99);
                             levels = maps.levels;
                           });
  RunLayer(recorder, 0, 8, 0.5F);
  EXPECT_EQ(recorder.Probe(1), nullptr);
  recorder.OnLayer(1);
  RunLayer(recorder, 2, 8, 0.25F);
  EXPECT_THAT(layers, ElementsAre(0, 2));
  EXPECT_THAT(vmax, ElementsAre(0.5 * 7.93, 0.25 * 7.93));
  EXPECT_THAT(levels, ElementsAre(32, 64, 96, 129, 161, 193, 225, 255));
}

TEST(HeatmapRecorder, PerHeadKeepsHeadsApart) {
  const QueryPlan plan = MakeQueryPlan(kLayout, 1, 1);
  Shape shape;
  HeatmapRecorder recorder(plan, plan.extents(3, 2), true, {true},
                           [&](int64_t, const LayerMaps& maps) { shape = maps.shape(); });
  RunLayer(recorder, 0, 24, 1);
  EXPECT_EQ(shape, (Shape{2, 3, 2, 1, 2}));
  EXPECT_GT(recorder.busy_seconds(), 0);
}

TEST(HeatmapRecorder, WhatTheSinkThrowsReachesTheModel) {
  const QueryPlan plan = MakeQueryPlan(kLayout, 1, 1);
  HeatmapRecorder recorder(plan, plan.extents(1, 2), false, {true},
                           [](int64_t, const LayerMaps&) { throw Error("the disk is full"); });
  const AttentionProbe* probe = recorder.Probe(0);
  std::fill_n(probe->out, 8, 0.5F);
  EXPECT_EQ(testing::ErrorOf([&] { recorder.OnLayer(0); }), "the disk is full");
}

}  // namespace
}  // namespace vggt
