// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_match.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qk_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

class MatchPatchesTest : public ::testing::Test {
 protected:
  void TearDown() override { SetThreadCount(threads_); }

  TestDir dir_;
  const int threads_ = ThreadCount();
};

TEST_F(MatchPatchesTest, AreThoseOfPlainLoops) {
  const QkDescription d = SmallQkDescription(3, 5, 7);
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const QkBlocks& blocks = d.blocks[0];
  const int64_t P = d.tokens_per_frame(blocks), n = 35, S = 2;
  for (const std::vector<size_t>& layers : std::vector<std::vector<size_t>>{{1}, {0, 1}}) {
    std::vector<std::vector<double>> mean(n, std::vector<double>(n));
    for (const size_t layer : layers) {
      for (int h = 1; h <= blocks.heads; ++h) {
        const SlowAttention slow(d, blocks, layer, h, false);
        for (int64_t u = 0; u < n; ++u) {
          for (int64_t v = 0; v < n; ++v) {
            const int64_t in_a = 2 * P + S + u, in_b = S + v;
            mean[u][v] += (slow.Logit(in_a, in_b) + slow.Logit(in_b, in_a)) / 2 /
                          static_cast<double>(blocks.heads * std::ssize(layers));
          }
        }
      }
    }
    const double temperature = 0.5;
    std::vector<std::vector<LayerMatch>> got;
    for (const int threads : {1, 2, 7}) {
      SetThreadCount(threads);
      got.push_back(MatchPatches(store, layers, 2, 0, temperature));
    }
    for (int64_t u = 0; u < n; ++u) {
      int64_t best = 0, back = 0;
      for (int64_t v = 0; v < n; ++v) best = mean[u][v] > mean[u][best] ? v : best;
      for (int64_t w = 0; w < n; ++w) back = mean[w][best] > mean[back][best] ? w : back;
      double sum = 0, x = 0, y = 0;
      for (int64_t v = 0; v < n; ++v) {
        const double p = std::exp((mean[u][v] - mean[u][best]) / temperature);
        sum += p, x += p * (static_cast<double>(v % 7) + 0.5);
        y += p * (static_cast<double>(v / 7) + 0.5);
      }
      const LayerMatch& match = got[0][u];
      ASSERT_EQ(match.patch, best) << u;
      EXPECT_EQ(match.mutual, back == u) << u;
      // Logits of up to 10 in float32, divided by the temperature.
      EXPECT_NEAR(match.logit, mean[u][best], 1e-5);
      EXPECT_NEAR(match.probability, 1 / sum, 3e-5);
      EXPECT_NEAR(match.x, x / sum, 1e-4);
      EXPECT_NEAR(match.y, y / sum, 1e-4);
      for (const auto& other : got) {
        EXPECT_EQ(other[u].logit, match.logit);
        EXPECT_EQ(other[u].x, match.x);
        EXPECT_EQ(other[u].mutual, match.mutual);
      }
    }
  }
}

// b's patches have the queries and keys of a's in another order: all are found, all are mutual, and
// at the published temperature the position is the patch's centre.
TEST_F(MatchPatchesTest, FindsAPermutation) {
  QkDescription d = SmallQkDescription(2, 3, 5);
  d.blocks[0].rope = {RopeType::kNone, 100, 1};
  const auto file = WriteQkStore(dir_.path(), d);
  const int64_t P = 17, n = 15, dim = 16;
  std::vector<float> q = testing::QkValues(d, d.blocks[0], 0, 0);
  const auto moved = [&](int64_t u) { return (u * 4 + 2) % n; };
  for (int64_t h = 0; h < 3; ++h) {
    for (int64_t u = 0; u < n; ++u) {
      const auto from = q.begin() + (h * 2 * P + 2 + u) * dim;
      std::copy(from, from + dim, q.begin() + ((h * 2 + 1) * P + 2 + moved(u)) * dim);
    }
  }
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", d.shape(d.blocks[0]), q, q);
  const QkStore store(file, {});
  const std::vector<LayerMatch> got = MatchPatches(store, std::vector<size_t>{0}, 0, 1);
  for (int64_t u = 0; u < n; ++u) {
    EXPECT_EQ(got[u].patch, moved(u));
    EXPECT_TRUE(got[u].mutual);
    EXPECT_NEAR(got[u].probability, 1, 1e-9);
    EXPECT_NEAR(got[u].x, static_cast<double>(moved(u) % 5) + 0.5, 1e-6);
    EXPECT_NEAR(got[u].y, static_cast<double>(moved(u) / 5) + 0.5, 1e-6);
  }
}

TEST_F(MatchPatchesTest, RefusesAndStops) {
  const QkDescription d = SmallQkDescription();
  const auto file = WriteQkStore(dir_.path(), d);
  const QkStore store(file, {});
  const std::vector<size_t> layers = {0};
  EXPECT_THAT(ErrorOf([&] { return MatchPatches(store, layers, 0, 3); }),
              HasSubstr("there is no picture 3. Pictures count from 0 to 2"));
  EXPECT_THAT(ErrorOf([&] { return MatchPatches(store, layers, 0, 1, 0); }),
              HasSubstr("must be above 0"));
  EXPECT_THROW(MatchPatches(store, layers, 0, 1, 1, [] { throw testing::Cancelled(); }),
               testing::Cancelled);
  std::vector<float> k = testing::QkValues(d, d.blocks[0], 0, 1);
  k[3 * 16] = INFINITY;
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", d.shape(d.blocks[0]), k, k);
  EXPECT_THAT(ErrorOf([&] { return MatchPatches(store, layers, 0, 1); }),
              HasSubstr("global_01.safetensors: holds queries or keys"));
}

}  // namespace
}  // namespace vggt
