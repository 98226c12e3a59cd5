// SPDX-License-Identifier: Apache-2.0
#include "render/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "render/colormap.h"

namespace vggt {
namespace {

Picture Grey(int width, int height, uint8_t level) {
  Picture picture{width, height, {}};
  picture.rgb.assign(size_t{3} * width * height, level);
  return picture;
}

Rgb PixelAt(const Picture& picture, int x, int y) {
  const uint8_t* p =
      picture.rgb.data() + 3 * (size_t{static_cast<unsigned>(y)} * picture.width + x);
  return {p[0], p[1], p[2]};
}

TEST(Overlay, CellsLieWhereTheirPatchesAre) {
  const std::vector<float> values = {0, 1, 0.5F, NAN};
  OverlayMap map{values, 2, 2, 0, 1, 1, {}};
  const Picture tile = OverlayTile(Grey(40, 20, 100), std::nullopt, map, 40);
  EXPECT_EQ(tile.width, 40);
  EXPECT_EQ(tile.height, 20);
  EXPECT_EQ(PixelAt(tile, 0, 0), (Rgb{100, 100, 100}));          // the first colour is transparent
  EXPECT_EQ(PixelAt(tile, 20, 9), ColourAt(Colormap::kJet, 1));  // the last one opaque
  EXPECT_EQ(PixelAt(tile, 39, 19), (Rgb{100, 100, 100}));        // NaN
  Rgb half = ColourAt(Colormap::kJet, 0.5F);
  for (uint8_t& c : half) c = static_cast<uint8_t>((100 + c) / 2.0 + 0.5);
  EXPECT_EQ(PixelAt(tile, 19, 10), half);
}

TEST(Overlay, ValuesBeyondTheScaleHaveItsLastColour) {
  const std::vector<float> values = {5, -5};
  const Picture tile = OverlayTile(Grey(4, 2, 0), std::nullopt, {values, 1, 2, -1, 1, 1, {}}, 4);
  EXPECT_EQ(PixelAt(tile, 0, 0), ColourAt(Colormap::kJet, 1));
  EXPECT_EQ(PixelAt(tile, 3, 0), (Rgb{0, 0, 0}));
}

// The model saw the middle 50 of 100 rows.
TEST(Overlay, WhatTheModelDidNotSeeIsDimmed) {
  const FrameTransform t{50, 100, 50, 100, 25, 50, 0, 0, 50, 50};
  const std::vector<float> values = {1, 1};
  const Picture tile = OverlayTile(Grey(50, 100, 200), t, {values, 2, 1, 0, 1, 1, {}}, 50);
  EXPECT_EQ(PixelAt(tile, 10, 24), (Rgb{130, 130, 130}));
  EXPECT_EQ(PixelAt(tile, 10, 25), ColourAt(Colormap::kJet, 1));
  EXPECT_EQ(PixelAt(tile, 10, 74), ColourAt(Colormap::kJet, 1));
  EXPECT_EQ(PixelAt(tile, 10, 75), (Rgb{130, 130, 130}));
}

// A picture of four quarters, of which the upper left one is white after turning. The map has its
// largest value there, and the outlined patch is in the quarter below.
TEST(Overlay, PicturesAreTurnedWithTheirMaps) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    FrameTransform t = {.original_width = 60, .original_height = 40, .orientation = orientation};
    t.resized_width = t.model_width = t.turned_width();
    t.resized_height = t.turned_height();
    t.crop_height = t.model_height = t.resized_height - 8;
    t.crop_top = 4;
    Picture stored = Grey(60, 40, 50);
    const Point corner = OriginalFromTurned(orientation, 60, 40, {1, 1});
    const int left = corner.x < 30 ? 0 : 30, top = corner.y < 20 ? 0 : 20;
    for (int y = top; y < top + 20; ++y) {
      std::fill_n(stored.rgb.begin() + 3 * (y * 60 + left), 3 * 30, 250);
    }
    const std::vector<float> values = {1, 0, 0, 0};
    const Picture tile = OverlayTile(stored, t, {values, 2, 2, 0, 1, 0.5F, {2}}, t.turned_width());
    ASSERT_EQ(tile.width, t.turned_width());
    ASSERT_EQ(tile.height, t.turned_height());
    const int right = tile.width - 1, bottom = tile.height - 1;
    const auto half_covered = [](uint8_t level) {
      Rgb colour = ColourAt(Colormap::kJet, 1);
      for (uint8_t& c : colour) c = static_cast<uint8_t>((level + c) / 2.0 + 0.5);
      return colour;
    };
    EXPECT_EQ(PixelAt(tile, 2, 6), half_covered(250)) << orientation;
    EXPECT_EQ(PixelAt(tile, right - 2, 6), (Rgb{50, 50, 50})) << orientation;
    EXPECT_EQ(PixelAt(tile, right - 2, bottom - 6), (Rgb{50, 50, 50})) << orientation;
    EXPECT_EQ(PixelAt(tile, 0, bottom - 6), (Rgb{0, 255, 0})) << orientation;
    // Cropped rows are dimmed at the turned picture's top and bottom.
    EXPECT_LT(PixelAt(tile, 2, 1)[0], 200) << orientation;
    EXPECT_EQ(PixelAt(tile, right - 2, 1), PixelAt(tile, right - 2, bottom - 1)) << orientation;
    EXPECT_LT(PixelAt(tile, right - 2, 1)[0], 50) << orientation;
  }
}

TEST(Overlay, ChosenCellsGetAFrame) {
  const std::vector<float> values(4, 0.0F);
  const Picture tile = OverlayTile(Grey(20, 20, 0), std::nullopt, {values, 2, 2, 0, 1, 1, {1}}, 20);
  EXPECT_EQ(PixelAt(tile, 10, 0), (Rgb{0, 255, 0}));
  EXPECT_EQ(PixelAt(tile, 19, 5), (Rgb{0, 255, 0}));
  EXPECT_EQ(PixelAt(tile, 15, 5), (Rgb{0, 0, 0}));
  EXPECT_EQ(PixelAt(tile, 9, 5), (Rgb{0, 0, 0}));
}

TEST(Overlay, MosaicsAlignRowsAndColumns) {
  const Picture whole = Mosaic({Grey(3, 2, 10), Grey(2, 4, 20), Grey(1, 1, 30)}, 2, 1);
  EXPECT_EQ(whole.width, 1 + 3 + 1 + 2 + 1);
  EXPECT_EQ(whole.height, 1 + 4 + 1 + 1 + 1);
  EXPECT_EQ(PixelAt(whole, 0, 0), (Rgb{255, 255, 255}));
  EXPECT_EQ(PixelAt(whole, 1, 1), (Rgb{10, 10, 10}));
  EXPECT_EQ(PixelAt(whole, 1, 3), (Rgb{255, 255, 255}));
  EXPECT_EQ(PixelAt(whole, 6, 4), (Rgb{20, 20, 20}));
  EXPECT_EQ(PixelAt(whole, 1, 6), (Rgb{30, 30, 30}));
}

}  // namespace
}  // namespace vggt
