// SPDX-License-Identifier: Apache-2.0
#include "server/report_tables.h"

#include <gtest/gtest.h>

#include <set>

#include "analysis/statistics_cache.h"
#include "core/tensor.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

TEST(ReportTables, EachIsMadeUnderItsName) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), SmallQkDescription()), {});
  const RowSample sample = RowsWithin(store.description(), kUsualProducts);
  std::vector<LayerStatistics> layers;
  for (const QkBlocks& blocks : store.description().blocks) {
    for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
      layers.push_back(ComputeLayerStatistics(store, blocks.kind, layer, sample));
    }
  }
  std::set<std::string> names;
  for (const ReportTableMaker& maker : ReportTableMakers()) {
    EXPECT_TRUE(names.insert(maker.name).second);
    EXPECT_EQ(FindReportTable(maker.name), &maker);
    TableSource source{store, {}, sample, {}};
    for (const LayerStatistics& s : layers) {
      if (maker.needs_statistics) source.layers.push_back(&s);
    }
    const ReportTable table = maker.make(source);
    EXPECT_EQ(table.name, maker.name);
    EXPECT_NE(table.definition, "");
    EXPECT_FALSE(table.rows.empty() && table.arrays.empty()) << maker.name;
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << maker.name;
    for (const ReportArray& array : table.arrays) {
      EXPECT_EQ(static_cast<int64_t>(array.values.size()), NumElements(array.shape)) << array.name;
    }
  }
  EXPECT_EQ(FindReportTable("head"), nullptr);
  EXPECT_EQ(FindReportTable(""), nullptr);
}

}  // namespace
}  // namespace vggt
