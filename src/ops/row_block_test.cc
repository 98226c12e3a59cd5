// SPDX-License-Identifier: Apache-2.0
#include "ops/row_block.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_testing.h"

namespace vggt {
namespace {

struct Head {
  int64_t rows, keys, dim;
  std::vector<float> q, k;
};

Head MakeHead(int64_t rows, int64_t keys, int64_t dim, float size) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> value(-size, size);
  Head head{rows, keys, dim, std::vector<float>(rows * dim), std::vector<float>(keys * dim)};
  for (float& x : head.q) x = value(engine);
  for (float& x : head.k) x = value(engine);
  return head;
}

double SlowLogit(const Head& head, int64_t row, int64_t key, double scale) {
  double sum = 0;
  for (int64_t c = 0; c < head.dim; ++c) {
    sum += static_cast<double>(head.q[row * head.dim + c]) * head.k[key * head.dim + c];
  }
  return sum * scale;
}

// A block of rows with what stands behind each row's keys.
struct Block {
  int64_t stride;
  std::vector<float> values;
  const float* row(int64_t i) const { return values.data() + i * stride; }
};

// Tests run on vectors and on the model of the tiles.
using Tiles = std::optional<TileUnit>;
class RowBlockTest : public ::testing::TestWithParam<Tiles> {};
INSTANTIATE_TEST_SUITE_P(, RowBlockTest, ::testing::Values(Tiles(), Tiles(TileUnit::kModel)),
                         [](const auto& info) { return info.param ? "OnTiles" : "OnVectors"; });

Block LogitsOn(Tiles tiles, const Head& head, float scale) {
  const PackedKeys packed(tiles, head.keys, head.k.data(), head.dim);
  Block block{packed.stride(), std::vector<float>(RowBlockSize(head.rows, head.keys))};
  std::vector<float> scratch(RowBlockScratch(head.dim));
  LogitRows(head.rows, head.q.data(), packed, scale, scratch.data(), block.values.data());
  return block;
}

// Where the processor has tiles, they must give the model's bits.
Block Logits(Tiles tiles, const Head& head, float scale) {
  Block block = LogitsOn(tiles, head, scale);
  if (tiles && AttentionRunsOnTiles()) {
    EXPECT_EQ(LogitsOn(TileUnit::kProcessor, head, scale).values, block.values);
  }
  return block;
}

TEST_P(RowBlockTest, EqualsItsFormulasOnAwkwardSizes) {
  constexpr float kScale = 0.3F;
  for (const int64_t dim : {4, 12, 20, 64, 128}) {
    for (const auto& size : {std::pair{1, 1}, {5, 63}, {6, 64}, {95, 257}, {96, 700}}) {
      const Head head = MakeHead(size.first, size.second, dim, 2);
      ForEachTarget([&] {
        Block block = Logits(GetParam(), head, kScale);
        const Block logits = block;
        std::vector<float> log_normalizers(head.rows);
        SoftmaxRows(head.rows, head.keys, block.stride, block.values.data(),
                    log_normalizers.data());
        for (int64_t i = 0; i < head.rows; ++i) {
          double total = 0;
          for (int64_t j = 0; j < head.keys; ++j) {
            const double logit = SlowLogit(head, i, j, kScale);
            ASSERT_NEAR(logits.row(i)[j], logit, 3e-5) << i << " " << j << " of " << dim;
            total += std::exp(logit);
          }
          ASSERT_NEAR(log_normalizers[i], std::log(total), 3e-5) << i;
          double sum = 0;
          for (int64_t j = 0; j < head.keys; ++j) {
            const double expected = std::exp(SlowLogit(head, i, j, kScale)) / total;
            ASSERT_NEAR(block.row(i)[j], expected, 1e-7 + 3e-5 * expected) << i << " " << j;
            sum += block.row(i)[j];
          }
          ASSERT_NEAR(sum, 1, 1e-6);
        }
      });
    }
  }
}

// One key has it all, the others what exp(-87) rounds to; shifts of 1e4 lose no digits.
TEST(SoftmaxRowsTest, LogitsFarApart) {
  ForEachTarget([] {
    std::vector<float> row(70, -1e4F);
    row[33] = 1e4F;
    float log_normalizer = 0;
    SoftmaxRows(1, 70, 128, row.data(), &log_normalizer);
    EXPECT_EQ(row[33], 1);
    EXPECT_LT(row[0], 1e-37);
    EXPECT_EQ(log_normalizer, 1e4F);
    std::vector<float> two = {1e4F, 1e4F - 1};
    SoftmaxRows(1, 2, 64, two.data(), &log_normalizer);
    EXPECT_NEAR(two[1], 1 / (1 + std::exp(1.0)), 1e-6);
  });
}

// A row's bits do not depend on the rows beside it, nor packed keys on the threads that packed
// them.
TEST_P(RowBlockTest, SameBitsAloneAndWithOthers) {
  const Head head = MakeHead(96, 300, 64, 1);
  const Block together = Logits(GetParam(), head, 0.125F);
  const int threads = ThreadCount();
  for (const int count : {1, 2, 7}) {
    SetThreadCount(count);
    for (const int64_t i : {0, 5, 6, 50, 95}) {
      Head one{1, head.keys, head.dim, {}, head.k};
      one.q.assign(head.q.begin() + i * head.dim, head.q.begin() + (i + 1) * head.dim);
      const Block alone = Logits(GetParam(), one, 0.125F);
      for (int64_t j = 0; j < head.keys; ++j) {
        ASSERT_EQ(alone.row(0)[j], together.row(i)[j]) << i << " " << j;
      }
    }
  }
  SetThreadCount(threads);
}

}  // namespace
}  // namespace vggt
