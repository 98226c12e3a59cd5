// SPDX-License-Identifier: Apache-2.0
// Sections of a report made of a small store, and what must be true of each.
#pragma once

#include <map>
#include <set>
#include <string>

#include "analysis/layer_statistics.h"
#include "qk_store_testing.h"
#include "report/sections.h"

namespace vggt::testing {

// An export of a store alone, whose pictures' files are not there.
class SmallExport {
 public:
  explicit SmallExport(const QkDescription& d)
      : store_(WriteQkStore(dir_.path(), d), {}), source_(OpenExport(dir_.path())) {}

  const std::filesystem::path& path() const { return dir_.path(); }
  const QkStore& store() const { return store_; }

  SectionInput Input(const std::string& preset = "") {
    SectionInput input{source_, store_, {}, 1, preset, {}, {}, {}, {}, {}};
    input.statistics = [this](BlockKind kind, size_t layer) -> const LayerStatistics& {
      const auto [place, is_new] = statistics_.try_emplace({kind, layer});
      if (is_new) {
        const QkDescription& d = store_.description();
        place->second =
            ComputeLayerStatistics(store_, kind, layer, AllRows(d.token_grid(*d.Find(kind))));
      }
      return place->second;
    };
    input.picture = [this](size_t) {
      const QkDescription& d = store_.description();
      return ChartPicture{{}, {}, d.token_grid(d.blocks.front())};
    };
    return input;
  }

 private:
  TestDir dir_;
  QkStore store_;
  Export source_;
  std::map<std::pair<BlockKind, size_t>, LayerStatistics> statistics_;
};

// Charts can be drawn, tables are as wide as their columns, and no two have one name.
inline void CheckSection(const Section& section) {
  EXPECT_FALSE(section.name.empty());
  EXPECT_FALSE(section.title.empty());
  std::set<std::string> names;
  for (const Chart& chart : section.charts) {
    EXPECT_TRUE(names.insert(chart.name).second) << chart.name;
    EXPECT_FALSE(chart.title.empty()) << chart.name;
    EXPECT_FALSE(chart.caption.empty()) << chart.name;
    EXPECT_NO_THROW(CheckChart(chart)) << chart.name;
  }
  names.clear();
  for (const ReportTable& table : section.tables) {
    EXPECT_TRUE(names.insert(table.name).second) << table.name;
    EXPECT_FALSE(table.definition.empty()) << table.name;
    EXPECT_FALSE(table.sample.empty()) << table.name;
    std::set<std::string> columns;
    for (const TableColumn& column : table.columns) {
      EXPECT_TRUE(columns.insert(column.name).second) << table.name << " " << column.name;
    }
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << table.name;
    for (const ReportArray& array : table.arrays) {
      EXPECT_TRUE(columns.insert(array.name).second) << table.name << " " << array.name;
      EXPECT_EQ(static_cast<int64_t>(array.values.size()), NumElements(array.shape)) << array.name;
    }
  }
}

inline const ReportTable& TableOf(const Section& section, const std::string& name) {
  for (const ReportTable& table : section.tables) {
    if (table.name == name) return table;
  }
  throw Error("no table " + name);
}

inline const Chart& ChartOf(const Section& section, const std::string& name) {
  for (const Chart& chart : section.charts) {
    if (chart.name == name) return chart;
  }
  throw Error("no chart " + name);
}

}  // namespace vggt::testing
