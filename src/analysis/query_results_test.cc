// SPDX-License-Identifier: Apache-2.0
#include "analysis/query_results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace vggt {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kSpecials = 2;

// Two frames of 2 × 3 patches behind a camera token and a register.
TokenGrid Grid() {
  TokenGrid grid;
  grid.frames = 2;
  grid.height = 2;
  grid.width = 3;
  grid.special_tokens = kSpecials;
  return grid;
}

// Of two heads.
LayerStatistics Empty(bool with_before) {
  LayerStatistics s;
  s.grid = Grid();
  s.heads = 2;
  s.mean.assign(kHeadMetrics * 2, kNaN);
  s.standard_error = s.mean;
  s.frame_mass.resize(2 * 2 * 3);
  if (with_before) s.frame_mass_before_rope.resize(s.frame_mass.size());
  s.flow_mean.assign(2 * kQueryGroups * kKeyGroups, NAN);
  s.flow_largest = s.flow_mean;
  return s;
}

TEST(QueryResults, QueriesFollowFrames) {
  const QueryResults results(Grid(), SampledRows(Grid(), 3), false);
  EXPECT_EQ(results.QueryAt(0, 4), 4U);
  EXPECT_EQ(results.QueryAt(1, 0), 5U);
  EXPECT_EQ(results.metrics.size(), 10U);
  EXPECT_EQ(results.columns(), 3U);
  EXPECT_EQ(results.GroupOf(0, 0), TokenGroup::kFirstCamera);
  EXPECT_EQ(results.GroupOf(1, 0), TokenGroup::kOtherCameras);
  EXPECT_EQ(results.GroupOf(0, 1), TokenGroup::kRegisters);
  EXPECT_EQ(results.GroupOf(0, kSpecials), TokenGroup::kFirstPatches);
  EXPECT_EQ(results.GroupOf(1, kSpecials), TokenGroup::kOtherPatches);
}

TEST(QueryResults, MeansAreThoseOfPatchesWithAValue) {
  QueryResults results(Grid(), AllRows(Grid()), false);
  const auto entropy = static_cast<size_t>(HeadMetric::kEntropy);
  const auto share = static_cast<size_t>(HeadMetric::kRopeShare);
  for (auto& values : results.metrics) values.fill(kNaN);
  for (int64_t place = 0; place < 6; ++place) {
    results.metrics[results.QueryAt(0, kSpecials + place)][entropy] = static_cast<double>(place);
    results.metrics[results.QueryAt(1, kSpecials + place)][entropy] = 10;
    results.metrics[results.QueryAt(1, kSpecials + place)][share] = 0.25;
  }
  results.metrics[results.QueryAt(0, 0)][entropy] = 1000;  // a camera token's is not looked at
  LayerStatistics s = Empty(false);
  results.AddTo(1, s);
  EXPECT_DOUBLE_EQ(s.Mean(HeadMetric::kEntropy, 1), (2.5 + 10) / 2);
  EXPECT_DOUBLE_EQ(s.Mean(HeadMetric::kRopeShare, 1), 0.25);
  EXPECT_EQ(s.StandardError(HeadMetric::kEntropy, 1), 0);
  EXPECT_TRUE(std::isnan(s.Mean(HeadMetric::kOwnMass, 1)));
  EXPECT_TRUE(std::isnan(s.Mean(HeadMetric::kMutualShare, 1)));
  EXPECT_TRUE(std::isnan(s.Mean(HeadMetric::kEntropy, 0)));
}

TEST(QueryResults, StandardErrorIsThatOfAClusterSample) {
  QueryResults results(Grid(), SampledRows(Grid(), 3), false);
  const auto entropy = static_cast<size_t>(HeadMetric::kEntropy);
  for (int64_t place = 0; place < 3; ++place) {  // means over frames: 1, 2, 6
    const double mean = place == 2 ? 6 : static_cast<double>(place) + 1;
    results.metrics[results.QueryAt(0, kSpecials + place)][entropy] = mean - 1;
    results.metrics[results.QueryAt(1, kSpecials + place)][entropy] = mean + 1;
  }
  LayerStatistics s = Empty(false);
  results.AddTo(0, s);
  EXPECT_DOUBLE_EQ(s.Mean(HeadMetric::kEntropy, 0), 3);
  // The sample variance is (4 + 1 + 9) / 2 = 7, and half of the six patches are read.
  EXPECT_NEAR(s.StandardError(HeadMetric::kEntropy, 0), std::sqrt(7.0 / 3 * 0.5), 1e-12);
}

TEST(QueryResults, MutualAreThoseThatComeBack) {
  QueryResults results(Grid(), AllRows(Grid()), true);
  // Patch i of frame 0 answers i, and frame 1 comes back from all but 4 and 5.
  for (int32_t i = 0; i < 6; ++i) {
    results.best[results.QueryAt(0, kSpecials + i) * 2 + 1] = i;
    results.best[results.QueryAt(1, kSpecials + i) * 2 + 0] = i < 4 ? i : 0;
  }
  LayerStatistics s = Empty(false);
  results.AddTo(0, s);
  EXPECT_DOUBLE_EQ(s.Mean(HeadMetric::kMutualShare, 0), (4.0 + 4) / 12);
  EXPECT_EQ(s.StandardError(HeadMetric::kMutualShare, 0), 0);
}

TEST(QueryResults, FrameMassesAreMeansOverPatches) {
  QueryResults results(Grid(), AllRows(Grid()), false);
  for (int64_t place = 0; place < kSpecials + 6; ++place) {
    const auto value = place < kSpecials ? 100.0F : static_cast<float>(place - kSpecials);
    results.frame_mass[results.QueryAt(0, place) * 3 + 1] = value;
    results.before_rope[results.QueryAt(1, place) * 3 + 2] = 2 * value;
  }
  LayerStatistics s = Empty(true);
  results.AddTo(1, s);
  EXPECT_EQ(s.frame_mass, (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 2.5, 0, 0, 0, 0}));
  EXPECT_EQ(s.frame_mass_before_rope, (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}));
  LayerStatistics without = Empty(false);
  results.AddTo(1, without);
  EXPECT_TRUE(without.frame_mass_before_rope.empty());
}

TEST(QueryResults, FlowIsThatOfEachGroupOfQueries) {
  QueryResults results(Grid(), AllRows(Grid()), false);
  const auto own = static_cast<size_t>(TokenGroup::kOwnPatches);
  for (int64_t place = 0; place < kSpecials + 6; ++place) {
    const auto value = static_cast<float>(place) / 8;
    results.flow_mass[results.QueryAt(1, place)][own] = value;
    results.flow_largest[results.QueryAt(1, place)][own] = value / 2;
  }
  LayerStatistics s = Empty(false);
  results.AddTo(0, s);
  const auto at = [&](TokenGroup group) { return static_cast<size_t>(group) * kKeyGroups + own; };
  EXPECT_FLOAT_EQ(s.flow_mean[at(TokenGroup::kOtherCameras)], 0);
  EXPECT_FLOAT_EQ(s.flow_mean[at(TokenGroup::kRegisters)], 1.0F / 8 / 2);  // frame 0's has none
  EXPECT_FLOAT_EQ(s.flow_mean[at(TokenGroup::kOtherPatches)], 4.5F / 8);
  EXPECT_FLOAT_EQ(s.flow_largest[at(TokenGroup::kOtherPatches)], 7.0F / 8 / 2);
  EXPECT_TRUE(std::isnan(s.flow_mean[kQueryGroups * kKeyGroups]));  // the other head's
}

}  // namespace
}  // namespace vggt
