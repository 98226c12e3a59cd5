// SPDX-License-Identifier: Apache-2.0
#include "figure/frame_geometry.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

void ExpectBox(const Box& got, const Box& expected) {
  EXPECT_NEAR(got.x, expected.x, 1e-9);
  EXPECT_NEAR(got.y, expected.y, 1e-9);
  EXPECT_NEAR(got.width, expected.width, 1e-9);
  EXPECT_NEAR(got.height, expected.height, 1e-9);
}

FigureFrame Frame(const FrameTransform& t, const FigureGrid& grid) {
  FigureFrame frame;
  frame.transform = t;
  frame.grid = grid;
  return frame;
}

TEST(FrameGeometry, WithoutTransformTheMapIsStretched) {
  FigureFrame frame;
  frame.width = 300;
  frame.height = 200;
  frame.grid = {4, 6, 4, 6, 1, 1};
  const FrameGeometry geometry(frame);
  ExpectBox(geometry.map(), {0, 0, 300, 200});
  ExpectBox(geometry.clip(), {0, 0, 300, 200});
  EXPECT_TRUE(geometry.Cropped().empty());
  ExpectBox(*geometry.Cells(1, 2, 1, 2), {100, 50, 50, 50});
  frame.width = frame.height = 0;
  EXPECT_EQ(FrameGeometry(frame).width(), 6);
  EXPECT_EQ(FrameGeometry(frame).height(), 4);
}

// 200 × 300, halved to 100 × 150, of which the middle 100 rows are kept.
TEST(FrameGeometry, CroppedPartsLieAboveAndBelow) {
  const FrameTransform t{200, 300, 100, 150, 25, 100, 0, 0, 100, 100};
  const FrameGeometry geometry(Frame(t, {10, 10, 10, 10, 1, 1}));
  ExpectBox(geometry.map(), {0, 50, 200, 200});
  ExpectBox(geometry.clip(), {0, 50, 200, 200});
  const std::vector<Box> cropped = geometry.Cropped();
  ASSERT_EQ(cropped.size(), 2U);
  ExpectBox(cropped[0], {0, 0, 200, 50});
  ExpectBox(cropped[1], {0, 250, 200, 50});
  ExpectBox(*geometry.Cells(0, 9, 1, 9), {180, 50, 20, 40});
}

// 200 × 100, halved, with 25 white rows above and below.
TEST(FrameGeometry, PaddingIsNoPartOfThePicture) {
  const FrameTransform t{200, 100, 100, 50, 0, 50, 25, 0, 100, 100};
  const FrameGeometry geometry(Frame(t, {10, 10, 10, 10, 1, 1}));
  ExpectBox(geometry.map(), {0, -50, 200, 200});
  ExpectBox(geometry.clip(), {0, 0, 200, 100});
  EXPECT_TRUE(geometry.Cropped().empty());
  EXPECT_FALSE(geometry.Cells(1, 3, 1, 3).has_value());
  // Half of this cell is padding.
  ExpectBox(*geometry.Cells(2, 3, 2, 3), {60, 0, 20, 10});
}

TEST(FrameGeometry, CellsOfSeveralPatchesAreCutAtTheEdge) {
  const FrameTransform t{50, 50, 50, 50, 0, 50, 0, 0, 50, 50};
  const FrameGeometry geometry(Frame(t, {3, 3, 5, 5, 2, 2}));
  ExpectBox(geometry.map(), {0, 0, 60, 60});
  ExpectBox(geometry.clip(), {0, 0, 50, 50});
  ExpectBox(*geometry.Cells(2, 2, 2, 2), {40, 40, 10, 10});
  ExpectBox(*geometry.Cells(1, 1, 1, 1), {20, 20, 20, 20});
}

// What a cell covers is where core/frame_transform.h puts it.
TEST(FrameGeometry, TurnedPicturesFollowTheirTransform) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    FrameTransform t = {.original_width = 60, .original_height = 40, .orientation = orientation};
    t.resized_width = t.model_width = 2 * t.turned_width();
    t.resized_height = 2 * t.turned_height();
    t.crop_top = 10;
    t.crop_height = t.model_height = t.resized_height - 20;
    const FrameGeometry geometry(Frame(t, {4, 5, 4, 5, 1, 1}));
    EXPECT_EQ(geometry.orientation(), orientation);
    EXPECT_EQ(geometry.width(), t.turned_width());
    EXPECT_EQ(geometry.height(), t.turned_height());
    const Box cell = *geometry.Cells(1, 3, 1, 3);
    const Point corner = OriginalFromModel(t, {t.model_width * 3.0 / 5, t.model_height * 1.0 / 4});
    const Point turned =
        TurnedFromOriginal(orientation, t.original_width, t.original_height, corner);
    EXPECT_NEAR(cell.x, turned.x, 1e-9) << orientation;
    EXPECT_NEAR(cell.y, turned.y, 1e-9) << orientation;
    EXPECT_NEAR(cell.width, t.turned_width() / 5.0, 1e-9);
  }
}

TEST(FrameGeometry, CutAndCroppedPicturesFollowTheirTransform) {
  const FrameTransform t = {.original_width = 100,
                            .original_height = 40,
                            .resized_width = 240,
                            .resized_height = 72,
                            .crop_height = 72,
                            .pad_top = 4,
                            .pad_left = 5,
                            .model_width = 210,
                            .model_height = 80,
                            .cut_left = 5,
                            .cut_top = 1,
                            .cut_right = 15,
                            .cut_bottom = 3,
                            .crop_left = 14,
                            .crop_right = 26};
  const FrameGeometry geometry(Frame(t, {4, 5, 4, 5, 1, 1}));
  const Point corner = OriginalFromModel(t, {2 * 42, 1 * 20});
  const Box cell = *geometry.Cells(1, 2, 1, 2);
  ExpectBox(cell, {corner.x, corner.y, 42.0 / 3, 20.0 / 2});
  const Point first = OriginalFromModel(t, {5, 4});
  ExpectBox(geometry.clip(), {first.x, first.y, 200.0 / 3, 36});
}

TEST(FrameGeometry, IntersectionsMayBeEmpty) {
  ExpectBox(Intersection({0, 0, 10, 10}, {5, 6, 10, 10}), {5, 6, 5, 4});
  EXPECT_EQ(Intersection({0, 0, 10, 10}, {20, 0, 5, 5}).width, 0);
}

}  // namespace
}  // namespace vggt
