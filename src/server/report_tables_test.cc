// SPDX-License-Identifier: Apache-2.0
#include "server/report_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "analysis/row_budget.h"
#include "analysis/statistics_cache.h"
#include "core/tensor.h"
#include "geometry_testing.h"
#include "qk_store_testing.h"
#include "store/qk/qk_writer.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

SceneMatches OneMatch() {
  SceneMatches matches;
  matches.pairs = {{0, 2, {{5, {20, 20}}}}};
  return matches;
}

// Frames that say how they came to be, as matches need them.
QkDescription WithTransforms() {
  QkDescription d = SmallQkDescription();
  static_cast<FrameList&>(d) = testing::PlainFrames(3, 3, 4);
  return d;
}

TEST(ReportTables, EachIsMadeUnderItsName) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), WithTransforms()), {});
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
    std::vector<LayerSparsity> sparsity;
    std::optional<MatchBoard> matches;
    TableSource source{store, {}, sparsity, {}, &matches, OneMatch};
    for (const LayerStatistics& s : layers) {
      if (maker.needs_statistics) source.layers.push_back(&s);
    }
    const std::vector<ReportTable> tables = maker.make(source);
    EXPECT_TRUE(sparsity.empty() && !matches);
    const auto table = std::ranges::find(tables, maker.name, &ReportTable::name);
    if (std::string_view(maker.name).starts_with("drop")) {  // takes what this store has not
      EXPECT_EQ(table, tables.end());
      continue;
    }
    ASSERT_NE(table, tables.end()) << maker.name;
    EXPECT_NE(table->definition, "");
    EXPECT_FALSE(table->rows.empty() && table->arrays.empty() && table->name != "hubs");
    for (const auto& row : table->rows) EXPECT_EQ(row.size(), table->columns.size()) << maker.name;
    for (const ReportArray& array : table->arrays) {
      EXPECT_EQ(static_cast<int64_t>(array.values.size()), NumElements(array.shape)) << array.name;
    }
    // Nothing is computed for an address that it does not have.
    for (const ReportTable& other : tables) EXPECT_NE(FindReportTable(other.name), nullptr);
  }
  EXPECT_EQ(FindReportTable("head"), nullptr);
  EXPECT_EQ(FindReportTable(""), nullptr);
}

// Pictures to drop take sums of hidden states, types of sinks the lengths of values.
TEST(ReportTables, WhatIsMadeOfExtras) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks.resize(1);
  d.blocks[0].channels = 1;
  d.blocks[0].layers.clear();
  const Shape shape = d.shape(d.blocks[0]);
  std::vector<uint16_t> q(static_cast<size_t>(NumElements(shape)), F32ToF16(2.0F)), k = q;
  for (size_t i = 0; i < k.size(); ++i) {
    const auto token = static_cast<int64_t>(i) / shape[2] % shape[1];
    k[i] = F32ToF16(token == 0 ? 2.0F : 0.0F);  // at which all look
  }
  QkExtraValues extras;
  extras.x_unit_sum = {12, 12, -12};
  extras.wov_norm.assign(static_cast<size_t>(shape[0] * shape[1]), 1.0F);
  extras.wov_norm[0] = 0.01F;
  QkWriter writer(dir.path(), d);
  writer.WriteLayer(BlockKind::kGlobal, 3, q, k, extras);
  writer.Finish();
  const QkStore store(FindQkDescription(dir.path()), {});
  const LayerStatistics layer =
      ComputeLayerStatistics(store, BlockKind::kGlobal, 0, AllRows(d.token_grid(d.blocks[0])));
  std::vector<LayerSparsity> sparsity;
  const auto table = [&](const char* name) {
    const std::vector<ReportTable> tables =
        FindReportTable(name)->make({store, {&layer}, sparsity, {}});
    const auto found = std::ranges::find(tables, name, &ReportTable::name);
    EXPECT_NE(found, tables.end()) << name;
    return found == tables.end() ? ReportTable() : *found;
  };
  const ReportTable drop = table("drop_robustvggt_combined_below_0_4");
  ASSERT_EQ(drop.rows.size(), 1U);
  EXPECT_EQ(std::get<int64_t>(drop.rows[0][0]), 2);
  const ReportTable hubs = table("hubs");
  ASSERT_EQ(hubs.rows.size(), 3U);
  int no_op = 0;
  for (const auto& row : hubs.rows) no_op += std::get<std::string>(row[11]) == "no-op" ? 1 : 0;
  EXPECT_EQ(no_op, 1);
}

TEST(ReportTables, SparsityGoesOnWhereItStopped) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), SmallQkDescription()), {});
  const ReportTableMaker* maker = FindReportTable("sparsity");
  std::vector<LayerSparsity> sparsity, none;
  const StopCheck never;
  const std::string all = TableJson(maker->make({store, {}, none, never})[0]);
  const StopCheck stop = [&] {
    if (!sparsity.empty()) throw Error("stopped");
  };
  EXPECT_EQ(ErrorOf([&] { maker->make({store, {}, sparsity, stop}); }), "stopped");
  ASSERT_EQ(sparsity.size(), 1U);
  // It is not computed again: what stands there counts.
  sparsity[0].keys_for_90.assign(3, 0.125);
  const std::vector<ReportTable> tables = maker->make({store, {}, sparsity, never});
  EXPECT_EQ(TableJson(tables[0]), all);
  EXPECT_EQ(std::get<double>(tables[1].rows[0][5]), 0.125);
  EXPECT_TRUE(sparsity.empty());
}

TEST(ReportTables, MatchesGoOnWhereTheyStopped) {
  const TestDir dir;
  const QkStore store(WriteQkStore(dir.path(), WithTransforms()), {});
  const ReportTableMaker* maker = FindReportTable("matches");
  std::vector<LayerSparsity> none;
  std::optional<MatchBoard> matches, all;
  const StopCheck never;
  const std::string whole = TableJson(maker->make({store, {}, none, never, &all, OneMatch})[0]);
  const StopCheck stop = [&] {
    if (matches && matches->scores.size() == 2) throw Error("stopped");
  };
  EXPECT_EQ(ErrorOf([&] { maker->make({store, {}, none, stop, &matches, OneMatch}); }), "stopped");
  ASSERT_EQ(matches->scores.size(), 2U);
  // They are neither read nor computed again.
  const auto read_again = []() -> SceneMatches { throw Error("read again"); };
  EXPECT_EQ(TableJson(maker->make({store, {}, none, never, &matches, read_again})[0]), whole);
  EXPECT_FALSE(matches);
}

}  // namespace
}  // namespace vggt
