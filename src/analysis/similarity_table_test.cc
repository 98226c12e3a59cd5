// SPDX-License-Identifier: Apache-2.0
#include "analysis/similarity_table.h"

#include <gtest/gtest.h>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::SmallQkDescription;
using testing::TestDir;

TEST(SimilarityTable, HasJoinedVectorsAndThoseOfHeads) {
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), SmallQkDescription()), {});
  std::vector<LayerSimilarity> layers;
  for (const BlockKind kind : kBlockKinds) {
    for (LayerSimilarity& layer : ComputeSimilarity(store, kind)) layers.push_back(layer);
  }
  layers[1].hidden.within = 0.25;
  layers[1].hidden_frames.assign(9, 0.5);
  const ReportTable table = SimilarityTable(layers);
  ASSERT_EQ(table.rows.size(), 4U * 2 + 1);
  for (const auto& row : table.rows) ASSERT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(std::get<std::string>(table.rows[2][3]), "keys");
  EXPECT_EQ(std::get<int64_t>(table.rows[2][1]), 5);
  EXPECT_EQ(std::get<double>(table.rows[2][4]), layers[1].keys.cosines[3].within);
  EXPECT_EQ(std::get<double>(table.rows[3][7]), layers[1].queries.ranks[3].effective);
  EXPECT_EQ(std::get<double>(table.rows[0][10]), layers[0].keys.next_layer);
  EXPECT_EQ(std::get<std::string>(table.rows[4][3]), "hidden states");
  EXPECT_EQ(std::get<double>(table.rows[4][4]), 0.25);
  ASSERT_EQ(table.arrays.size(), 7U);  // hidden states of the global layers alone
  EXPECT_EQ(table.arrays[0].name, "keys_global");
  EXPECT_EQ(table.arrays[0].shape, (Shape{2, 3, 3}));
  EXPECT_EQ(table.arrays[2].name, "hidden_global");
  EXPECT_EQ(table.arrays[2].shape, (Shape{1, 3, 3}));
  for (const ReportArray& array : table.arrays) {
    EXPECT_EQ(std::ssize(array.values), NumElements(array.shape));
  }

  const ReportTable heads = SimilarityHeadsTable(layers);
  ASSERT_EQ(heads.rows.size(), 2U * (3 + 3 + 3 + 2));
  for (const auto& row : heads.rows) ASSERT_EQ(row.size(), heads.columns.size());
  EXPECT_EQ(std::get<int64_t>(heads.rows[8][3]), 2);
  EXPECT_EQ(std::get<double>(heads.rows[8][6]), layers[1].keys.cosines[1].within);
}

}  // namespace
}  // namespace vggt
