// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_cells.h"

#include <gtest/gtest.h>

#include "geometry_testing.h"

namespace vggt {
namespace {

TEST(FrameCells, HoldTheirCentres) {
  const FrameCells cells(testing::PlainFrames(2, 3, 5));
  EXPECT_EQ(cells.patches(), 15);
  EXPECT_EQ(cells.Centre(0).x, 7);
  EXPECT_EQ(cells.Centre(13).x, 3 * 14 + 7);
  EXPECT_EQ(cells.Centre(13).y, 2 * 14 + 7);
  for (int64_t patch = 0; patch < 15; ++patch) EXPECT_EQ(cells.PatchAt(cells.Centre(patch)), patch);
}

TEST(FrameCells, BordersBelongToTheLaterCellAndTheLastHasBoth) {
  const FrameCells cells(testing::PlainFrames(2, 3, 5));
  EXPECT_EQ(cells.PatchAt({0, 0}), 0);
  EXPECT_EQ(cells.PatchAt({14, 0}), 1);
  EXPECT_EQ(cells.PatchAt({13.99, 14}), 5);
  EXPECT_EQ(cells.PatchAt({70, 42}), 14);
  EXPECT_EQ(cells.PatchAt({1e300, -5}), 4);
}

}  // namespace
}  // namespace vggt
