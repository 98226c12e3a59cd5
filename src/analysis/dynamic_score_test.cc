// SPDX-License-Identifier: Apache-2.0
#include "analysis/dynamic_score.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "analysis/layer_choice.h"
#include "qk_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// Global blocks with so many layers, so that parts have several.
QkDescription Video(int64_t frames, int64_t layers) {
  QkDescription d = SmallQkDescription(frames, 3, 5);
  d.blocks.resize(1);
  d.blocks[0].layers.clear();
  for (int64_t i = 0; i < layers; ++i) {
    d.blocks[0].layers.push_back({i, LayerName(i), QkFileName(BlockKind::kGlobal, i)});
  }
  return d;
}

// Rotated queries (0) or keys (1) of a layer in double precision, [heads, tokens, dim].
std::vector<double> Rotated(const QkDescription& d, size_t layer, int which) {
  const QkBlocks& blocks = d.blocks[0];
  const std::vector<float> all = QkValues(d, blocks, layer, which);
  std::vector<double> x(all.begin(), all.end());
  const int64_t P = d.tokens_per_frame(blocks), quarter = blocks.head_dim / 4;
  for (size_t t = 0; t < x.size() / blocks.head_dim; ++t) {
    const int64_t patch = static_cast<int64_t>(t) % P - blocks.specials();
    if (patch < 0) continue;
    for (int axis = 0; axis < 2; ++axis) {
      double* half = x.data() + t * blocks.head_dim + 2 * axis * quarter;
      const double position = static_cast<double>((axis == 0 ? patch / d.W_p : patch % d.W_p) + 1);
      for (int64_t i = 0; i < quarter; ++i) {
        const double angle = position * std::pow(100.0, -static_cast<double>(i) / quarter);
        const double a = half[i], b = half[i + quarter];
        half[i] = a * std::cos(angle) - b * std::sin(angle);
        half[i + quarter] = b * std::cos(angle) + a * std::sin(angle);
      }
    }
  }
  return x;
}

// A part of a frame by plain loops over layers, heads, frames of the window and patches.
std::vector<double> SlowPart(const QkDescription& d, const DynamicPartInfo& part, int64_t frame) {
  const QkBlocks& blocks = d.blocks[0];
  const int64_t P = d.tokens_per_frame(blocks), n = d.H_p * d.W_p, dim = blocks.head_dim;
  const bool key_u = part.part == DynamicPart::kFirstKeyMean;
  const bool key_v = key_u || part.part == DynamicPart::kFirstCrossSpread;
  std::vector<std::vector<double>> of_v(n, std::vector<double>(n));
  double count = 0;
  for (const size_t layer : DynamicLayers(d, blocks, part)) {
    const std::vector<double> q = Rotated(d, layer, 0), k = Rotated(d, layer, 1);
    for (int64_t w = 0; w < d.frames; ++w) {
      const int64_t away = std::abs(w - frame);
      if (away != 2 && away != 4 && away != 6) continue;
      for (int64_t h = 0; h < blocks.heads; ++h, ++count) {
        const auto row = [&](bool key, int64_t f, int64_t patch) {
          return (key ? k : q).data() + ((h * d.frames + f) * P + blocks.specials() + patch) * dim;
        };
        for (int64_t u = 0; u < n; ++u) {
          for (int64_t v = 0; v < n; ++v) {
            for (int64_t c = 0; c < dim; ++c) {
              of_v[u][v] += row(key_u, frame, u)[c] * row(key_v, w, v)[c];
            }
          }
        }
      }
    }
  }
  std::vector<double> map;
  for (std::vector<double>& x : of_v) {
    double mean = 0, squares = 0;
    for (double& value : x) mean += (value /= count) / static_cast<double>(n);
    for (const double value : x) squares += (value - mean) * (value - mean);
    map.push_back(part.spread ? std::sqrt(squares / static_cast<double>(n - 1)) : mean);
  }
  const double low = *std::min_element(map.begin(), map.end());
  const double high = *std::max_element(map.begin(), map.end());
  for (double& value : map) value = (value - low) / (high - low + 1e-6);
  return map;
}

TEST(DynamicScore, MapsAreThoseOfPlainLoops) {
  const TestDir dir;
  const QkDescription d = Video(9, 8);
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const DynamicScores got = ComputeDynamicScores(store);
  EXPECT_THAT(got.without_window, ElementsAre());
  ASSERT_EQ(got.score.size(), 9U * 15);
  for (const int64_t frame : {0, 4, 8}) {
    std::vector<double> score(15, 1.0);
    for (const DynamicPartInfo& part : DynamicParts()) {
      const std::vector<double> slow = SlowPart(d, part, frame);
      const std::vector<float>& map = got.parts[static_cast<size_t>(part.part)];
      for (int64_t u = 0; u < 15; ++u) {
        // Products of float32, divided by a range that is about as large as they are.
        ASSERT_NEAR(map[frame * 15 + u], slow[u], 2e-5) << part.name << " " << frame << " " << u;
        score[u] *= part.inverted ? 1 - slow[u] : slow[u];
      }
    }
    const double low = *std::min_element(score.begin(), score.end());
    const double high = *std::max_element(score.begin(), score.end());
    for (int64_t u = 0; u < 15; ++u) {
      EXPECT_NEAR(got.score[frame * 15 + u], (score[u] - low) / (high - low + 1e-6), 5e-4);
    }
  }
}

TEST(DynamicScore, LayersAreThePublishedOnesOfTwentyFour) {
  const QkDescription d = Video(3, 24);
  const auto layers = [&](DynamicPart part) {
    return DynamicLayers(d, d.blocks[0], DynamicParts()[static_cast<size_t>(part)]);
  };
  EXPECT_THAT(layers(DynamicPart::kEarlyQueryMean), ElementsAre(3, 4, 5, 6, 7));
  EXPECT_THAT(layers(DynamicPart::kLateQuerySpread), ElementsAre(18, 19));
  EXPECT_THAT(layers(DynamicPart::kLateQueryMean), ElementsAre(17, 18, 19, 20, 21));
  EXPECT_THAT(layers(DynamicPart::kFirstKeyMean), ElementsAre(0));
  EXPECT_THAT(layers(DynamicPart::kFirstCrossSpread), ElementsAre(0));
  for (size_t i = 0; i < kDynamicParts; ++i) {
    EXPECT_EQ(static_cast<size_t>(DynamicParts()[i].part), i);
  }
}

// Of three frames the middle one has none at a distance of 2, 4 or 6.
TEST(DynamicScore, FramesWithoutWindowHaveNoMap) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), Video(3, 2)), {});
  const DynamicScores got = ComputeDynamicScores(store);
  EXPECT_THAT(got.without_window, ElementsAre(1));
  for (size_t u = 0; u < 15; ++u) {
    EXPECT_FALSE(std::isnan(got.score[u]));
    EXPECT_TRUE(std::isnan(got.score[15 + u]));
    EXPECT_TRUE(std::isnan(got.parts[2][15 + u]));
  }
}

TEST(DynamicScore, ThreadsDoNotMatter) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), Video(5, 3)), {});
  const int threads = ThreadCount();
  std::vector<std::vector<float>> scores;
  for (const int count : {1, 2, 7}) {
    SetThreadCount(count);
    scores.push_back(ComputeDynamicScores(store).score);
  }
  SetThreadCount(threads);
  EXPECT_EQ(scores[0], scores[1]);
  EXPECT_EQ(scores[0], scores[2]);
}

TEST(DynamicScore, RefusesAndStops) {
  const TestDir two, dir;
  const QkStore few(WriteQkStore(two.path(), Video(2, 1)), {});
  EXPECT_THAT(ErrorOf([&] { return ComputeDynamicScores(few); }),
              HasSubstr("at least three pictures in the order of time, and there are 2"));
  const QkDescription d = Video(4, 2);
  const auto file = WriteQkStore(dir.path(), d);
  const QkStore store(file, {});
  EXPECT_THROW(ComputeDynamicScores(store, [] { throw testing::Cancelled(); }), testing::Cancelled);
  std::vector<float> q = QkValues(d, d.blocks[0], 1, 0);
  q[50] = NAN;
  testing::WriteQkLayer(dir / "qk/global_02.safetensors", d.shape(d.blocks[0]), q, q);
  EXPECT_THAT(ErrorOf([&] { return ComputeDynamicScores(store); }),
              HasSubstr("global_02.safetensors: holds queries or keys"));
}

}  // namespace
}  // namespace vggt
