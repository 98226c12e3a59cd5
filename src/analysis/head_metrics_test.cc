// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vggt {
namespace {

TEST(HeadMetricsTest, AreFoundByTheirNames) {
  std::set<std::string> names, labels;
  for (const HeadMetricInfo& info : HeadMetrics()) {
    EXPECT_EQ(FindHeadMetric(info.name), info.metric);
    EXPECT_EQ(&InfoOf(info.metric), &info);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(labels.insert(info.label).second) << info.label;
    EXPECT_EQ(std::string(info.definition).back(), '.') << info.name;
  }
  EXPECT_EQ(FindHeadMetric("entropie"), std::nullopt);
  EXPECT_EQ(FindHeadMetric(""), std::nullopt);
}

// Scripts rely on these names.
TEST(HeadMetricsTest, NamesOfTheTableOfHeads) {
  for (const char* name : {"entropy", "effective_keys", "top1_mass", "top10_mass", "special_mass",
                           "own_mass", "cross_mass", "first_frame_mass", "same_cell_mass",
                           "self_mass", "mean_distance", "rope_share"}) {
    EXPECT_TRUE(FindHeadMetric(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace vggt
