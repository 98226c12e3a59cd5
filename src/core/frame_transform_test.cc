// SPDX-License-Identifier: Apache-2.0
#include "core/frame_transform.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(FrameTransform, MapsBothWays) {
  // A portrait: scaled by 518/420 to 864 rows, which are rounded to whole patches (868), cropped,
  // and padded by 7.
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
  // A panorama: 112 rows in the middle of 518.
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

// Of a picture of 100 × 40, 20 columns and 4 rows are cut off before it is enlarged by 3 and 2, and
// 14 and 26 columns and 10 rows after that; it lies in the middle of a larger frame.
TEST(FrameTransform, CutsBeforeAndCropsAfterResizing) {
  const FrameTransform t = {.original_width = 100,
                            .original_height = 40,
                            .resized_width = 240,
                            .resized_height = 72,
                            .crop_top = 10,
                            .crop_height = 62,
                            .pad_top = 9,
                            .pad_left = 5,
                            .model_width = 210,
                            .model_height = 80,
                            .cut_left = 5,
                            .cut_top = 1,
                            .cut_right = 15,
                            .cut_bottom = 3,
                            .crop_left = 14,
                            .crop_right = 26};
  EXPECT_EQ(t.cut_width(), 80);
  EXPECT_EQ(t.cut_height(), 36);
  EXPECT_EQ(t.crop_width(), 200);
  const Point first = ModelFromOriginal(t, {5, 1});
  EXPECT_DOUBLE_EQ(first.x, 5 - 14);
  EXPECT_DOUBLE_EQ(first.y, 9 - 10);
  const Point last = ModelFromOriginal(t, {85, 37});
  EXPECT_DOUBLE_EQ(last.x, 5 - 14 + 240);
  EXPECT_DOUBLE_EQ(last.y, 9 - 10 + 72);
  for (const Point p : {Point{0, 0}, {13.5, 31.25}, {100, 40}}) {
    const Point back = OriginalFromModel(t, ModelFromOriginal(t, p));
    EXPECT_NEAR(back.x, p.x, 1e-9);
    EXPECT_NEAR(back.y, p.y, 1e-9);
  }
  EXPECT_TRUE(ShowsOriginal(t, {5, 9}));
  EXPECT_TRUE(ShowsOriginal(t, {204.9, 70.9}));
  EXPECT_FALSE(ShowsOriginal(t, {4.9, 20}));
  EXPECT_FALSE(ShowsOriginal(t, {205, 20}));
  EXPECT_FALSE(ShowsOriginal(t, {100, 71}));
}

// Where the upper left and the upper right corner of a stored picture of 30×20 pixels lie after
// Pillow's ImageOps.exif_transpose has turned it.
struct Turn {
  int orientation;
  Point upper_left, upper_right;
};

class Orientation : public ::testing::TestWithParam<Turn> {};

TEST_P(Orientation, TurnsCorners) {
  const auto& [orientation, upper_left, upper_right] = GetParam();
  const Point a = TurnedFromOriginal(orientation, 30, 20, {0, 0});
  EXPECT_EQ(a.x, upper_left.x);
  EXPECT_EQ(a.y, upper_left.y);
  const Point b = TurnedFromOriginal(orientation, 30, 20, {30, 0});
  EXPECT_EQ(b.x, upper_right.x);
  EXPECT_EQ(b.y, upper_right.y);
  for (const Point p : {Point{0, 0}, {30, 0}, {7.5, 18.25}}) {
    const Point back =
        OriginalFromTurned(orientation, 30, 20, TurnedFromOriginal(orientation, 30, 20, p));
    EXPECT_EQ(back.x, p.x);
    EXPECT_EQ(back.y, p.y);
  }
}

// Each original pixel becomes ten model pixels wide and high; 40 rows are cropped from the top of
// the turned picture; 3 rows of padding.
TEST_P(Orientation, MapsBothWays) {
  FrameTransform t = {.original_width = 30,
                      .original_height = 20,
                      .crop_top = 40,
                      .crop_height = 100,
                      .pad_top = 3,
                      .model_height = 106,
                      .orientation = GetParam().orientation};
  t.resized_width = t.model_width = 10 * t.turned_width();
  t.resized_height = 10 * t.turned_height();
  EXPECT_EQ(t.turned_width(), GetParam().orientation < 5 ? 30 : 20);
  const Point corner = ModelFromOriginal(t, {0, 0});
  EXPECT_DOUBLE_EQ(corner.x, 10 * GetParam().upper_left.x);
  EXPECT_DOUBLE_EQ(corner.y, 10 * GetParam().upper_left.y - 40 + 3);
  for (const Point p : {Point{0, 0}, {30, 20}, {7.5, 18.25}}) {
    const Point back = OriginalFromModel(t, ModelFromOriginal(t, p));
    EXPECT_NEAR(back.x, p.x, 1e-12);
    EXPECT_NEAR(back.y, p.y, 1e-12);
  }
  EXPECT_FALSE(ShowsOriginal(t, {5, 2.5}));
  EXPECT_TRUE(ShowsOriginal(t, {t.resized_width - 0.5, 102.5}));
  EXPECT_FALSE(ShowsOriginal(t, {t.resized_width + 0.5, 50}));
}

INSTANTIATE_TEST_SUITE_P(All, Orientation,
                         ::testing::Values(Turn{1, {0, 0}, {30, 0}}, Turn{2, {30, 0}, {0, 0}},
                                           Turn{3, {30, 20}, {0, 20}}, Turn{4, {0, 20}, {30, 20}},
                                           Turn{5, {0, 0}, {0, 30}}, Turn{6, {20, 0}, {20, 30}},
                                           Turn{7, {20, 30}, {20, 0}}, Turn{8, {0, 30}, {0, 0}}));

}  // namespace
}  // namespace vggt
