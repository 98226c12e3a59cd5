// SPDX-License-Identifier: Apache-2.0
#include "attention/logit_row.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qk_testing.h"

namespace vggt {
namespace {

using testing::SlowAttention;
using testing::SmallQkDescription;

std::vector<uint16_t> Halves(const QkDescription& d, const QkBlocks& blocks, int which) {
  std::vector<uint16_t> halves;
  for (const float x : testing::QkValues(d, blocks, 0, which)) halves.push_back(F32ToF16(x));
  return halves;
}

// Of every token, to the keys of some frames: what lies outside them is not touched.
TEST(LogitRow, ProductsEqualTheSlowOnes) {
  const QkDescription d = SmallQkDescription();
  for (const QkBlocks& blocks : d.blocks) {
    const TokenGrid grid = d.token_grid(blocks);
    const std::vector<uint16_t> q = Halves(d, blocks, 0), k = Halves(d, blocks, 1);
    for (const bool before : {false, true}) {
      const SlowAttention slow(d, blocks, 0, 1, before);
      LogitRow row(blocks, grid, RotationTable(blocks, grid, before));
      for (int64_t token = 0; token < grid.tokens_per_frame(); ++token) {
        const int64_t place = grid.first_token(2) + token;
        const FrameRange frames{1, 3};
        FloatBuffer logits(grid.tokens()), cosines(grid.tokens());
        std::fill_n(logits.data(), grid.tokens(), 7.0F);
        row.Logits(q.data() + place * blocks.head_dim, token, k.data(), frames, logits.data());
        row.Cosines(q.data() + place * blocks.head_dim, token, k.data(), frames, cosines.data());
        for (int64_t key = 0; key < grid.tokens(); ++key) {
          if (key < grid.first_token(1)) {
            ASSERT_EQ(logits[key], 7);
            continue;
          }
          ASSERT_NEAR(logits[key], slow.Logit(place, key), 2e-5) << token << " " << key;
          if (blocks.attends == Attends::kAll) {
            ASSERT_NEAR(cosines[key], slow.Value(Definition::kCosine, place, key), 1e-6);
          }
        }
      }
    }
  }
}

TEST(LogitRow, WhatHasNoLengthHasNoCosine) {
  QkDescription d = SmallQkDescription(1, 1, 2, 4);
  const QkBlocks& blocks = d.blocks[0];
  const TokenGrid grid = d.token_grid(blocks);
  std::vector<uint16_t> q(4 * 4, F32ToF16(1)), k = q;
  std::fill_n(q.begin(), 4, uint16_t{0});
  std::fill_n(k.begin() + 4, 4, uint16_t{0});
  LogitRow row(blocks, grid, nullptr);
  FloatBuffer out(4);
  row.Cosines(q.data(), 0, k.data(), {0, 1}, out.data());
  for (const float x : out.span()) EXPECT_EQ(x, 0);
  row.Cosines(q.data() + 4, 1, k.data(), {0, 1}, out.data());
  EXPECT_THAT(std::vector<float>(out.data(), out.data() + 4), ::testing::ElementsAre(1, 0, 1, 1));
}

// Two frames of one special token and two patches; the first frame does not count.
TEST(LogitRow, SoftmaxOverTokensPatchesOrFrames) {
  const TokenGrid grid{3, 1, 1, 2};
  const std::vector<float> logits = {9, 9, 9, 2, 0, 1, -1, 3, 0};
  const auto e = [&](int i) { return std::exp(static_cast<double>(logits[i])); };
  const double special = e(3) + e(6), patches = e(4) + e(5) + e(7) + e(8);

  std::vector<float> row = logits;
  EXPECT_NEAR(SoftmaxRow(grid, {1, 3}, false, row.data()), special / (special + patches), 1e-6);
  EXPECT_EQ(row[0], 9);
  for (int i = 3; i < 9; ++i) EXPECT_NEAR(row[i], e(i) / (special + patches), 1e-6) << i;

  row = logits;
  EXPECT_NEAR(SoftmaxRow(grid, {1, 3}, true, row.data()), special / (special + patches), 1e-6);
  for (const int i : {3, 6}) EXPECT_EQ(row[i], 0);
  for (const int i : {4, 5, 7, 8}) EXPECT_NEAR(row[i], e(i) / patches, 1e-6) << i;

  row = logits;
  SoftmaxFrames(grid, {1, 3}, row.data());
  EXPECT_EQ(row[0], 9);
  for (int i = 3; i < 6; ++i) EXPECT_NEAR(row[i], e(i) / (e(3) + e(4) + e(5)), 1e-6) << i;
  for (int i = 6; i < 9; ++i) EXPECT_NEAR(row[i], e(i) / (e(6) + e(7) + e(8)), 1e-6) << i;
}

TEST(LogitRow, DamageIsNamedByItsFile) {
  EXPECT_EQ(
      testing::ErrorOf([]() -> int { ThrowNotFinite("qk/a.safetensors"); }),
      "qk/a.safetensors: holds queries or keys that are infinite or not a number. The file is "
      "damaged, or the model that was recorded diverged.");
}

}  // namespace
}  // namespace vggt
