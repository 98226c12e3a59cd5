// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics_tables.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNotKnown = std::numeric_limits<double>::quiet_NaN();

// Five heads; metric m of head h is 100 · (layer + 1) + m + h / 10.
LayerStatistics Made(BlockKind kind, int64_t layer) {
  LayerStatistics s;
  s.kind = kind;
  s.layer_index = layer;
  s.grid = {2, 1, 2, 2};
  s.heads = 5;
  s.sample = AllRows(s.grid);
  for (size_t m = 0; m < kHeadMetrics; ++m) {
    for (int64_t h = 0; h < 5; ++h) {
      s.mean.push_back(100 * static_cast<double>(layer + 1) + static_cast<double>(m) +
                       static_cast<double>(h) / 10);
      s.standard_error.push_back(static_cast<double>(h));
    }
    s.uniform.push_back(static_cast<double>(m));
  }
  s.uniform[static_cast<size_t>(HeadMetric::kOwnMass)] = 0.4;
  for (int i = 0; i < 5 * 2 * 3; ++i) s.frame_mass.push_back(static_cast<float>(i));
  s.key_mass.assign(50, 0.1F);
  return s;
}

class StatisticsTables : public ::testing::Test {
 protected:
  StatisticsTables()
      : layers_{Made(BlockKind::kGlobal, 0), Made(BlockKind::kGlobal, 4),
                Made(BlockKind::kFrame, 0)} {
    for (const LayerStatistics& s : layers_) pointers_.push_back(&s);
  }

  static double Number(const ReportTable& table, size_t row, const std::string& column) {
    const auto found = std::ranges::find(table.columns, column, &TableColumn::name);
    const TableCell& cell =
        table.rows.at(row).at(static_cast<size_t>(found - table.columns.begin()));
    if (const auto* whole = std::get_if<int64_t>(&cell)) return static_cast<double>(*whole);
    const auto* number = std::get_if<double>(&cell);
    return number == nullptr ? kNotKnown : *number;
  }
  static void ExpectWhole(const ReportTable& table) {
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
    EXPECT_EQ(table.sample, "all 8 patches of 2 pictures");
    for (const ReportArray& array : table.arrays) {
      EXPECT_EQ(static_cast<int64_t>(array.values.size()), NumElements(array.shape));
    }
  }

  std::vector<LayerStatistics> layers_;
  std::vector<const LayerStatistics*> pointers_;
};

TEST_F(StatisticsTables, HeadsHaveTheNamesThatScriptsRelyOn) {
  layers_[1].mean[2 * 5 + 3] = kNotKnown;
  const ReportTable table = HeadsTable(pointers_);
  ExpectWhole(table);
  ASSERT_EQ(table.rows.size(), 15U);
  std::vector<std::string> names;
  for (const TableColumn& column : table.columns) names.push_back(column.name);
  EXPECT_THAT(std::vector(names.begin(), names.begin() + 6),
              ElementsAre("block", "layer", "layer_index", "head", "head_index", "entropy"));
  for (const char* name :
       {"entropy", "effective_keys", "top1_mass", "top10_mass", "special_mass", "own_mass",
        "cross_mass", "first_frame_mass", "same_cell_mass", "self_mass", "mean_distance",
        "rope_share", "entropy_se", "entropy_uniform", "labels"}) {
    EXPECT_EQ(std::ranges::count(names, name), 1) << name;
  }
  EXPECT_EQ(std::get<std::string>(table.rows[14][0]), "frame");
  EXPECT_EQ(Number(table, 8, "layer"), 5);
  EXPECT_EQ(Number(table, 8, "layer_index"), 4);
  EXPECT_EQ(Number(table, 8, "head"), 4);
  EXPECT_EQ(Number(table, 8, "head_index"), 3);
  EXPECT_EQ(Number(table, 8, "entropy"), 500.3);
  EXPECT_EQ(Number(table, 8, "entropy_se"), 3);
  EXPECT_EQ(Number(table, 8, "special_mass_uniform"), 6);
  EXPECT_TRUE(std::isnan(Number(table, 8, "effective_keys")));
  EXPECT_THAT(std::get<std::string>(table.rows[0].back()), HasSubstr("uniform"));
}

TEST_F(StatisticsTables, LayersHaveMeanAndPercentilesOfHeads) {
  layers_[2].mean[3] = layers_[2].mean[4] = kNotKnown;
  for (int h = 0; h < 5; ++h) layers_[2].mean[5 + h] = kNotKnown;
  const ReportTable table = LayersTable(pointers_);
  ExpectWhole(table);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(Number(table, 1, "heads"), 5);
  EXPECT_NEAR(Number(table, 1, "top1_mass"), 504.2, 1e-9);
  EXPECT_NEAR(Number(table, 1, "top1_mass_p25"), 504.1, 1e-9);
  EXPECT_NEAR(Number(table, 1, "top1_mass_p75"), 504.3, 1e-9);
  EXPECT_EQ(Number(table, 1, "top1_mass_uniform"), 4);
  // Of the three heads that have one: 100, 100.1, 100.2.
  EXPECT_NEAR(Number(table, 2, "entropy"), 100.1, 1e-9);
  EXPECT_NEAR(Number(table, 2, "entropy_p25"), 100.05, 1e-9);
  EXPECT_TRUE(std::isnan(Number(table, 2, "entropy_share")));
}

TEST_F(StatisticsTables, FramesAreArraysOfEachKindAndNothingElse) {
  const ReportTable table = FramesTable(pointers_);
  ExpectWhole(table);
  EXPECT_TRUE(table.columns.empty() && table.rows.empty());
  ASSERT_EQ(table.arrays.size(), 2U);
  EXPECT_EQ(table.arrays[0].name, "global");
  EXPECT_EQ(table.arrays[0].shape, (Shape{2, 5, 2, 3}));
  EXPECT_THAT(table.arrays[0].text, HasSubstr("Layers: 1, 5."));
  EXPECT_EQ(table.arrays[0].values[31], 1);
  EXPECT_EQ(table.arrays[1].name, "frame");
}

TEST_F(StatisticsTables, PairsAreMeansOverHeads) {
  layers_[0].frame_mass_before_rope.assign(30, 0.5F);
  const ReportTable table = PairsTable(pointers_);
  ExpectWhole(table);
  EXPECT_TRUE(table.arrays.empty());  // one of the global layers has no values before RoPE
  ASSERT_EQ(table.rows.size(), 12U);
  // From picture 1 to picture 0 in layer 5: cells 3, 9, 15, 21, 27 of its heads.
  EXPECT_EQ(Number(table, 9, "query_picture"), 1);
  EXPECT_EQ(Number(table, 9, "key_picture"), 0);
  EXPECT_EQ(Number(table, 9, "mass"), 15);
  EXPECT_DOUBLE_EQ(Number(table, 9, "mass_uniform"), 0.4);
  EXPECT_TRUE(std::isnan(Number(table, 11, "key_picture")));
  EXPECT_DOUBLE_EQ(Number(table, 11, "mass_uniform"), 0.2);
  layers_[1].uniform[static_cast<size_t>(HeadMetric::kOwnMass)] = 0.6;  // causal
  layers_[1].frame_mass_before_rope.assign(30, 0.5F);
  const ReportTable causal = PairsTable(pointers_);
  EXPECT_TRUE(std::isnan(Number(causal, 9, "mass_uniform")));
  ASSERT_EQ(causal.arrays.size(), 1U);
  EXPECT_EQ(causal.arrays[0].name, "global_before_rope");
  EXPECT_EQ(causal.arrays[0].values[31], 0.5F);
}

TEST_F(StatisticsTables, OfNoLayersAreEmpty) {
  for (const ReportTable& table :
       {HeadsTable({}), LayersTable({}), FramesTable({}), PairsTable({})}) {
    EXPECT_TRUE(table.rows.empty() && table.arrays.empty());
  }
}

}  // namespace
}  // namespace vggt
