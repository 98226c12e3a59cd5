// SPDX-License-Identifier: Apache-2.0
#include "capture/map_plan.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(MapPlan, EveryPatchOfEveryFrame) {
  const MapPlan plan =
      MakeMapPlan({.frames = 2, .special_tokens = 5, .height = 1, .width = 3}, 1, 1);
  EXPECT_THAT(plan.rows, ElementsAre(5, 6, 7));
  EXPECT_THAT(plan.keys, ElementsAre(5, 6, 7, 13, 14, 15));
  const MapExtents extents = plan.extents(4, 2);
  EXPECT_EQ(extents.queries, 3);
  EXPECT_EQ(extents.keys(), 6);
}

TEST(MapPlan, CausalQueriesSeeTheirOwnFrameAlone) {
  const TokenGrid layout{.frames = 3, .special_tokens = 5, .height = 2, .width = 3};
  EXPECT_EQ(MakeMapPlan(layout, 1, 1).seen, 18);
  EXPECT_EQ(MakeMapPlan(layout, 1, 2, Attends::kCausal).seen, 4);
}

TEST(MapPlan, StridesBeginAtTheFirstPatchAndRoundUp) {
  const TokenGrid layout{.frames = 1, .special_tokens = 5, .height = 3, .width = 4};
  const MapPlan plan = MakeMapPlan(layout, 2, 3);
  EXPECT_EQ(plan.map_height, 2);
  EXPECT_EQ(plan.map_width, 2);
  EXPECT_THAT(plan.rows, ElementsAre(5, 8, 13, 16));
  EXPECT_THAT(MakeMapPlan(layout, 100, 100).rows, ElementsAre(5));
}

}  // namespace
}  // namespace vggt
