// SPDX-License-Identifier: Apache-2.0
#include "analysis/stored_rows.h"

#include <gmock/gmock.h>

#include <cmath>

#include "qk_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

class StoredRowsTest : public ::testing::Test {
 protected:
  TestDir dir_;
};

TEST_F(StoredRowsTest, HeadsStandSideBySide) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const QkBlocks& blocks = store.description().blocks[0];
  const StoredRows rows(store, blocks, 1, true);
  EXPECT_EQ(rows.width(), 48);
  const std::vector<int64_t> tokens = {3, 40, 0};
  for (const QkSide side : {QkSide::kQuery, QkSide::kKey}) {
    const std::vector<float> all = QkValues(d, d.blocks[0], 1, side == QkSide::kQuery ? 0 : 1);
    const FloatBuffer joined = rows.AllHeads(side, tokens);
    ASSERT_EQ(joined.size(), 3U * 48);
    for (int64_t h = 0; h < 3; ++h) {
      const FloatBuffer one = rows.OfHead(side, h, tokens);
      for (size_t i = 0; i < 3; ++i) {
        for (int64_t c = 0; c < 16; ++c) {
          const float expected = all[(h * 42 + tokens[i]) * 16 + c];
          ASSERT_EQ(one[i * 16 + c], expected);
          ASSERT_EQ(joined[i * 48 + h * 16 + c], expected);
        }
      }
    }
  }
}

// A product of two rotated rows is the logit of the slow twin, without its scale.
TEST_F(StoredRowsTest, AfterRopeRowsAreRotated) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const StoredRows rows(store, store.description().blocks[0], 0, false);
  const testing::SlowAttention slow(d, d.blocks[0], 0, 2, false);
  const std::vector<int64_t> all = FrameTokens({1, 0, 6, 7}, 0);
  const FloatBuffer q = rows.OfHead(QkSide::kQuery, 1, all), k = rows.OfHead(QkSide::kKey, 1, all);
  for (int64_t i = 0; i < 42; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < 16; ++c) sum += static_cast<double>(q[i * 16 + c]) * k[5 * 16 + c];
    // Sums of 16 products of up to 9, each factor rotated in float32.
    ASSERT_NEAR(sum * d.blocks[0].scale, slow.Logit(i, 5), 1e-5) << i;
  }
}

TEST_F(StoredRowsTest, MeansAreThoseOfEachFrame) {
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  const StoredRows rows(store, store.description().blocks[0], 0, true);
  const std::vector<float> k = QkValues(d, d.blocks[0], 0, 1);
  for (const bool patches_only : {false, true}) {
    const std::vector<double> means = rows.FrameMeans(QkSide::kKey, patches_only);
    ASSERT_EQ(means.size(), 3U * 48);
    double sum = 0;  // head 2, channel 7 of frame 1, whose tokens are 14 … 27
    for (int64_t t = patches_only ? 16 : 14; t < 28; ++t) sum += k[(2 * 42 + t) * 16 + 7];
    EXPECT_NEAR(means[48 + 2 * 16 + 7], sum / (patches_only ? 12 : 14), 1e-12);
  }
}

TEST(FrameTokens, StandFrameByFrame) {
  const TokenGrid grid = {2, 1, 1, 2};
  EXPECT_THAT(FrameTokens(grid, 1), ElementsAre(3, 4, 5));
  EXPECT_THAT(FramePatches(grid, 1), ElementsAre(4, 5));
}

TEST_F(StoredRowsTest, RefusesWhatIsNotThere) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].rope = {RopeType::kApplied, 100, 1};
  const QkStore store(WriteQkStore(dir_.path(), d), {});
  EXPECT_THAT(ErrorOf([&] { StoredRows(store, store.description().blocks[0], 0, true); }),
              HasSubstr("rotated before they were stored"));
  EXPECT_EQ(GlobalBlocksOfSeveral(store, "a score").heads, 3);

  const TestDir one, frames;
  const QkStore alone(WriteQkStore(one.path(), SmallQkDescription(1)), {});
  EXPECT_THAT(ErrorOf([&] { GlobalBlocksOfSeveral(alone, "a score"); }),
              HasSubstr("a score needs at least two pictures, and there is one"));
  d = SmallQkDescription();
  d.blocks.erase(d.blocks.begin());
  const QkStore without(WriteQkStore(frames.path(), d), {});
  EXPECT_THAT(ErrorOf([&] { GlobalBlocksOfSeveral(without, "a score"); }),
              HasSubstr("has no global blocks"));
}

TEST_F(StoredRowsTest, ValuesThatAreNotNumbersAreRefused) {
  const QkDescription d = SmallQkDescription();
  const auto file = WriteQkStore(dir_.path(), d);
  std::vector<float> q = QkValues(d, d.blocks[0], 0, 0);
  q[(42 + 20) * 16] = NAN;
  testing::WriteQkLayer(dir_ / "qk/global_01.safetensors", d.shape(d.blocks[0]), q, q);
  const QkStore store(file, {});
  const StoredRows rows(store, store.description().blocks[0], 0, false);
  EXPECT_THAT(ErrorOf([&] { return rows.FrameMeans(QkSide::kQuery, true); }),
              HasSubstr("global_01.safetensors: holds queries or keys that are infinite"));
  EXPECT_EQ(rows.OfHead(QkSide::kQuery, 0, FrameTokens(rows.grid(), 0)).size(), 14U * 16);
}

}  // namespace
}  // namespace vggt
