// SPDX-License-Identifier: Apache-2.0
#include "core/frame_transform.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(FrameTransform, MapsBothWays) {
  // A portrait, scaled by 518/420 to 864 rows (rounded to whole patches: 868), cropped, padded
  // by 7.
  const FrameTransform t = {.original_width = 420,
                            .original_height = 700,
                            .resized_width = 518,
                            .resized_height = 868,
                            .crop_top = 175,
                            .crop_height = 518,
                            .pad_top = 7,
                            .model_width = 518,
                            .model_height = 532};
  const Point centre = ModelFromOriginal(t, {210, 350});
  EXPECT_DOUBLE_EQ(centre.x, 259);
  EXPECT_DOUBLE_EQ(centre.y, 259 + 7);
  const Point corner = ModelFromOriginal(t, {0, 0});
  EXPECT_DOUBLE_EQ(corner.x, 0);
  EXPECT_DOUBLE_EQ(corner.y, -175 + 7);
  for (const Point p : {Point{0, 0}, {13.5, 691.25}, {420, 700}}) {
    const Point back = OriginalFromModel(t, ModelFromOriginal(t, p));
    EXPECT_NEAR(back.x, p.x, 1e-9);
    EXPECT_NEAR(back.y, p.y, 1e-9);
  }
}

TEST(FrameTransform, KnowsPadding) {
  // A panorama of 112 rows amid 518.
  const FrameTransform t = {.original_width = 1400,
                            .original_height = 300,
                            .resized_width = 518,
                            .resized_height = 112,
                            .crop_height = 112,
                            .pad_top = 203,
                            .model_width = 518,
                            .model_height = 518};
  EXPECT_TRUE(ShowsOriginal(t, {0, 203}));
  EXPECT_TRUE(ShowsOriginal(t, {517.5, 314.5}));
  EXPECT_FALSE(ShowsOriginal(t, {10, 202.5}));
  EXPECT_FALSE(ShowsOriginal(t, {10, 315}));
  EXPECT_FALSE(ShowsOriginal(t, {518, 250}));
}

}  // namespace
}  // namespace vggt
