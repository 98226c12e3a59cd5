// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/dpt_head.h"

#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "convolution_twins.h"
#include "heads_testing.h"

namespace vggt {
namespace {

using testing::ChannelsLast;
using testing::ExpectClose;
using testing::GoldenArray;
using testing::GoldenHeadsModel;
using testing::LoadGolden;

constexpr int64_t kWidth = 32, kSpecialTokens = 5;
constexpr int64_t kTapLayers[] = {0, 2, 3, 4};

// What a head is read: the patch tokens of a frame, of golden taps [frames, tokens, width].
class Taps {
 public:
  // `name` % layer are the arrays.
  Taps(const std::string& file, const std::string& name) {
    for (const int64_t layer : kTapLayers) {
      taps_.push_back(LoadGolden(file, name + std::to_string(layer)));
    }
  }

  std::function<void(size_t, float*)> OfFrame(int64_t frame) const {
    return [this, frame](size_t level, float* tokens) {
      const GoldenArray& tap = taps_[level];
      const float* of_frame = tap.values.data() + frame * tap.shape[1] * kWidth;
      std::copy(of_frame + kSpecialTokens * kWidth, of_frame + tap.shape[1] * kWidth, tokens);
    };
  }

 private:
  std::vector<GoldenArray> taps_;
};

struct Shown {
  std::vector<float> x;
  MapSize size;
  int64_t channels;
};

TEST(DptHead, EveryIntermediateEqualsTheTrace) {
  const GoldenHeadsModel golden;
  const Taps taps("pixels/trace.npz", "tap_");
  DptHead head(golden.checkpoint, golden.heads.prefix, *golden.heads.depth, {3, 5}, 14,
               Precision::kF32);
  ASSERT_EQ(head.pixels().rows, 42);
  ASSERT_EQ(head.pixels().cols, 70);
  std::vector<float> raw(head.pixels().pixels() * 2);
  std::map<std::string, Shown> shown;
  head.Run(taps.OfFrame(1), raw.data(), {},
           [&](const std::string& name, const float* x, MapSize size, int64_t channels) {
             shown[name] = {{x, x + size.pixels() * channels}, size, channels};
           });
  EXPECT_EQ(shown.size(), 14U);
  for (const auto& [name, got] : shown) {
    std::vector<float> expected =
        ChannelsLast(LoadGolden("pixels/trace.npz", "depth_head." + name));
    if (name.starts_with("side_")) {
      for (float& v : expected) v = std::max(v, 0.0F);
    }
    if (name.starts_with("fused_")) {  // shown before it is enlarged
      const MapSize to[] = {{24, 40}, {12, 20}, {6, 10}, {3, 5}};
      const MapSize size = to[name.back() - '0'];
      const auto enlarged = testing::BilinearTwin(got.size.rows, got.size.cols, got.channels,
                                                  got.x.data(), size.rows, size.cols);
      ExpectClose(std::vector<float>(enlarged.begin(), enlarged.end()), expected, name);
    } else {
      ExpectClose(got.x, expected, name);
    }
  }
}

TEST(DptHead, DepthAndPointsEqualTheSpecification) {
  const GoldenHeadsModel golden;
  const struct {
    std::string taps, name, outputs;
    int64_t frames;
    MapSize patches;
  } cases[] = {{"pixels/trace.npz", "tap_", "pixels/outputs.npz", 3, {3, 5}},
               {"tokens/inputs.npz", "layer_", "tokens/outputs.npz", 1, {5, 4}}};
  for (const auto& c : cases) {
    const Taps taps(c.taps, c.name);
    DptHead depth_head(golden.checkpoint, "", *golden.heads.depth, c.patches, 14, Precision::kF32);
    DptHead point_head(golden.checkpoint, "", *golden.heads.points, c.patches, 14, Precision::kF32);
    const int64_t pixels = depth_head.pixels().pixels();
    std::vector<float> raw(pixels * 4), depth(c.frames * pixels), depth_confidence(depth.size()),
        points(3 * depth.size()), point_confidence(depth.size());
    for (int64_t f = 0; f < c.frames; ++f) {
      depth_head.Run(taps.OfFrame(f), raw.data());
      ActivateDepth(pixels, raw.data(), &depth[f * pixels], &depth_confidence[f * pixels]);
      point_head.Run(taps.OfFrame(f), raw.data());
      ActivatePoints(pixels, raw.data(), &points[3 * f * pixels], &point_confidence[f * pixels]);
    }
    ExpectClose(depth, LoadGolden(c.outputs, "depth").values, c.outputs);
    ExpectClose(depth_confidence, LoadGolden(c.outputs, "depth_conf").values, c.outputs);
    ExpectClose(points, LoadGolden(c.outputs, "world_points").values, c.outputs);
    ExpectClose(point_confidence, LoadGolden(c.outputs, "world_points_conf").values, c.outputs);
  }
}

TEST(DptHead, StripsOfAnySizeMakeTheSameMap) {
  const GoldenHeadsModel golden;
  const Taps taps("pixels/trace.npz", "tap_");
  std::vector<float> whole;
  for (const int64_t strip_values : {1 << 20, 4000, 1}) {
    DptHead head(golden.checkpoint, "", *golden.heads.depth, {3, 5}, 14, Precision::kF32,
                 strip_values);
    std::vector<float> raw(head.pixels().pixels() * 2);
    head.Run(taps.OfFrame(0), raw.data());
    if (whole.empty()) whole = raw;
    ExpectClose(raw, whole, std::to_string(strip_values), 1e-6);
  }
}

TEST(DptHead, Bf16ComesNear) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  const GoldenHeadsModel golden;
  const Taps taps("pixels/trace.npz", "tap_");
  DptHead head(golden.checkpoint, "", *golden.heads.depth, {3, 5}, 14, Precision::kBf16);
  std::vector<float> raw(head.pixels().pixels() * 2);
  head.Run(taps.OfFrame(1), raw.data());
  const auto expected = ChannelsLast(LoadGolden("pixels/trace.npz", "depth_head.raw"));
  ExpectClose(raw, expected, "raw", 0.02);
}

TEST(DptHead, MayBeStopped) {
  const GoldenHeadsModel golden;
  DptHead head(golden.checkpoint, "", *golden.heads.depth, {3, 5}, 14, Precision::kF32);
  std::vector<float> raw(head.pixels().pixels() * 2);
  EXPECT_THROW(head.Run([](size_t, float*) {}, raw.data(), [] { throw testing::Cancelled(); }),
               testing::Cancelled);
}

// 32.7 million parameters, and maps of which the largest have 15 and 30 MB.
TEST(DptHead, Vggt1bsTakesLessThan300MB) {
  const double bytes =
      DptHead::MemoryBytes(VggtDptHead({}, "depth_head"), {25, 37}, 14, Precision::kF32);
  EXPECT_GT(bytes, 130e6);
  EXPECT_LT(bytes, 300e6);
}

}  // namespace
}  // namespace vggt
