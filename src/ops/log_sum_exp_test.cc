// SPDX-License-Identifier: Apache-2.0
#include "ops/log_sum_exp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

struct Problem {
  int64_t rows, keys, dim;
  std::vector<float> q, k;
};

Problem MakeQueries(int64_t rows, int64_t keys, int64_t dim, float size) {
  std::mt19937 engine(11);
  std::uniform_real_distribution<float> value(-size, size);
  Problem input{rows, keys, dim, std::vector<float>(rows * dim), std::vector<float>(keys * dim)};
  for (float& x : input.q) x = value(engine);
  for (float& x : input.k) x = value(engine);
  return input;
}

// Tests run on vectors and on the model of the tiles.
using Tiles = std::optional<TileUnit>;
class LogSumExpTest : public ::testing::TestWithParam<Tiles> {};
INSTANTIATE_TEST_SUITE_P(, LogSumExpTest, ::testing::Values(Tiles(), Tiles(TileUnit::kModel)),
                         [](const auto& info) { return info.param ? "OnTiles" : "OnVectors"; });

std::vector<float> NormalizersOn(Tiles tiles, const Problem& input, float scale) {
  AttentionWorkspace workspace;
  std::vector<float> out(input.rows);
  LogSumExpOn(tiles, input.rows, input.q.data(), input.keys, input.k.data(), input.dim, scale,
              out.data(), workspace);
  return out;
}

// Where the processor has tiles, they must give the model's bits.
std::vector<float> Normalizers(Tiles tiles, const Problem& input, float scale) {
  std::vector<float> out = NormalizersOn(tiles, input, scale);
  if (tiles && AttentionRunsOnTiles()) {
    EXPECT_EQ(NormalizersOn(TileUnit::kProcessor, input, scale), out);
  }
  return out;
}

double Expected(const Problem& input, int64_t row, double scale) {
  std::vector<double> logits(input.keys, 0.0);
  for (int64_t key = 0; key < input.keys; ++key) {
    for (int64_t c = 0; c < input.dim; ++c) {
      logits[key] += scale * input.q[row * input.dim + c] * input.k[key * input.dim + c];
    }
  }
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

TEST_P(LogSumExpTest, EqualsItsFormulaOnAwkwardSizes) {
  for (const int64_t dim : {4, 16, 20, 64, 128}) {
    for (const auto& size : {std::pair{1, 1}, {5, 63}, {97, 257}, {100, 700}}) {
      const int64_t rows = size.first, keys = size.second;
      // Logits of up to about 60 put all probability on a few keys.
      const Problem input = MakeQueries(rows, keys, dim, 4);
      ForEachTarget([&] {
        const std::vector<float> out = Normalizers(GetParam(), input, 0.3F);
        for (int64_t i = 0; i < rows; ++i) {
          // float32 rounds logits of some hundred
          ASSERT_NEAR(out[i], Expected(input, i, 0.3F), 2e-4)
              << rows << " rows, " << keys << " keys of " << dim << ", row " << i;
        }
      });
    }
  }
}

TEST_P(LogSumExpTest, DoesNotDependOnThreads) {
  const Problem input = MakeQueries(500, 300, 64, 1);
  const int threads = ThreadCount();
  SetThreadCount(1);
  const std::vector<float> one = Normalizers(GetParam(), input, 0.125F);
  for (const int count : {2, 7}) {
    SetThreadCount(count);
    EXPECT_EQ(Normalizers(GetParam(), input, 0.125F), one);
  }
  SetThreadCount(threads);
}

}  // namespace
}  // namespace vggt
