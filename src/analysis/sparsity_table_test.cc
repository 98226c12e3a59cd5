// SPDX-License-Identifier: Apache-2.0
#include "analysis/sparsity_table.h"

#include <gmock/gmock.h>

#include <numeric>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::SmallQkDescription;
using testing::TestDir;

class SparsityTableTest : public ::testing::Test {
 protected:
  SparsityTableTest()
      : store_(testing::WriteQkStore(dir_.path(), SmallQkDescription(3, 5, 9)), {}) {
    const TokenGrid grid = store_.description().token_grid(store_.description().blocks[0]);
    const std::vector<float> lengths(static_cast<size_t>(3 * grid.tokens()), 1.0F);
    for (const size_t layer : {0U, 1U}) {
      layers_.push_back(
          ComputeLayerSparsity(store_, BlockKind::kGlobal, layer, SampledRows(grid, 6), lengths));
    }
  }
  TestDir dir_;
  QkStore store_;
  std::vector<LayerSparsity> layers_;
};

TEST_F(SparsityTableTest, HasARowForEachSettingAndAllHeadsAsArrays) {
  const ReportTable table = SparsityTable(layers_);
  const size_t settings = layers_[0].outcomes.size();
  ASSERT_EQ(table.rows.size(), 2 * settings);
  for (const auto& row : table.rows) ASSERT_EQ(row.size(), table.columns.size());
  const SparsityOutcome& outcome = layers_[1].outcomes[3];
  const std::vector<TableCell>& row = table.rows[settings + 3];
  EXPECT_EQ(std::get<int64_t>(row[1]), 5);
  EXPECT_EQ(std::get<int64_t>(row[2]), 4);
  EXPECT_EQ(std::get<std::string>(row[3]), "top");
  EXPECT_EQ(std::get<std::string>(row[4]), "1 %");
  EXPECT_DOUBLE_EQ(std::get<double>(row[5]), outcome.kept[0]);
  EXPECT_DOUBLE_EQ(std::get<double>(row[6]), 1 - outcome.kept[0]);
  EXPECT_DOUBLE_EQ(std::get<double>(row[7]), 1 / outcome.kept[0]);
  EXPECT_NEAR(std::get<double>(row[8]), (outcome.mass[0] + outcome.mass[1] + outcome.mass[2]) / 3,
              1e-12);
  EXPECT_LE(std::get<double>(row[9]), std::get<double>(row[10]));
  // All lengths are equal, so that they change nothing.
  EXPECT_NEAR(std::get<double>(row[11]), std::get<double>(row[8]), 1e-6);
  ASSERT_EQ(table.arrays.size(), 3U);
  EXPECT_EQ(table.arrays[1].shape, (Shape{2, static_cast<int64_t>(settings), 3}));
  EXPECT_FLOAT_EQ(table.arrays[1].values[(settings + 3) * 3 + 2],
                  static_cast<float>(outcome.mass[2]));
  EXPECT_THAT(table.definition, HasSubstr("anchors-random: patches drawn at random"));
}

TEST(SparsitySample, TakesFewerRowsOfMorePictures) {
  QkDescription d = SmallQkDescription(3, 9, 11);
  const QkBlocks& blocks = SparsityBlocks(d);
  const int64_t of_layer = blocks.head_dim * blocks.heads * 3 * d.token_grid(blocks).tokens();
  const auto of_row = static_cast<double>(of_layer * std::ssize(blocks.layers));
  EXPECT_EQ(SparsitySample(d).patches.size(), 64U);
  EXPECT_EQ(SparsitySample(d, 10.5 * of_row).patches.size(), 10U);
  EXPECT_EQ(SparsitySample(d, 0).patches.size(), 2U);
  d.H_p = d.W_p = 5;
  EXPECT_TRUE(SparsitySample(d).all);
}

TEST_F(SparsityTableTest, OfHeadsAndMasks) {
  const ReportTable heads = SparsityHeadsTable(layers_);
  ASSERT_EQ(heads.rows.size(), 6U);
  EXPECT_EQ(heads.columns[6].name, "top_0.1");
  EXPECT_EQ(heads.columns.back().name, "top_100");
  for (const auto& row : heads.rows) {
    ASSERT_EQ(row.size(), heads.columns.size());
    EXPECT_NEAR(std::get<double>(row.back()), 1, 1e-5);
  }
  EXPECT_DOUBLE_EQ(std::get<double>(heads.rows[4][5]), layers_[1].keys_for_90[1]);

  const ReportTable masks = BlockMasksTable(layers_, {});
  ASSERT_EQ(masks.arrays.size(), 2U);
  EXPECT_EQ(masks.arrays[1].name, "global_05");
  EXPECT_EQ(masks.arrays[1].shape, (Shape{3, 1, 2, 3}));  // 135 patches
  const auto& values = masks.arrays[1].values;
  EXPECT_NEAR(std::get<double>(masks.rows[1][3]),
              std::accumulate(values.begin(), values.end(), 0.0) / 18, 1e-12);
  EXPECT_THAT(masks.definition, Not(HasSubstr("left out")));
  const ReportTable without = BlockMasksTable(layers_, {}, 35);
  EXPECT_TRUE(without.arrays.empty());
  EXPECT_THAT(without.definition, HasSubstr("36 blocks and are left out"));
}

}  // namespace
}  // namespace vggt
