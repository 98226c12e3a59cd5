// SPDX-License-Identifier: Apache-2.0
#include "report/picture_plot.h"

#include <gtest/gtest.h>

#include "image/png_codec.h"

namespace vggt {
namespace {

template <typename Writer>
Picture DrawnPage(Writer write) {
  const Typesetter type;
  ChartPage page(type);
  write(page);
  Canvas canvas(CanvasKind::kPng, 100, 60, 72, {});
  const PageTools tools{canvas, CanvasKind::kPng, 72};
  for (const auto& draw : page.draws()) draw(tools);
  return DecodePng(canvas.Finish(), "page");
}

Rgb PixelAt(const Picture& page, int x, int y) {
  const uint8_t* p = page.rgb.data() + size_t{3} * (y * page.width + x);
  return {p[0], p[1], p[2]};
}

MapPanel PanelWithMap() {
  MapPanel panel;
  panel.picture.grid = {1, 0, 2, 4};
  panel.map = {0, 0, 0, 1, 0, 0, 0, 0};
  panel.colours = {.colormap = Colormap::kMagma, .range = {0, 1}, .opaque = true};
  return panel;
}

TEST(PicturePlot, MapsFillTheirPicture) {
  const MapPanel panel = PanelWithMap();
  const Picture page = DrawnPage([&](ChartPage& to) { WriteMapPlot(to, panel, {10, 10, 80, 40}); });
  EXPECT_EQ(PixelAt(page, 85, 15), ColourAt(Colormap::kMagma, 1));
  EXPECT_EQ(PixelAt(page, 85, 45), ColourAt(Colormap::kMagma, 0));
  EXPECT_EQ(PixelAt(page, 5, 5), (Rgb{255, 255, 255}));
}

TEST(PicturePlot, WhatWasCutOffIsPaleAndHoldsNoMap) {
  MapPanel panel = PanelWithMap();
  // Of 80 rows the model saw the middle 40.
  panel.picture.transform = {.original_width = 80,
                             .original_height = 80,
                             .resized_width = 80,
                             .resized_height = 80,
                             .crop_top = 20,
                             .crop_height = 40,
                             .model_width = 80,
                             .model_height = 40};
  EXPECT_DOUBLE_EQ(ShapeOf(panel.picture), 1);
  const Picture page = DrawnPage([&](ChartPage& to) { WriteMapPlot(to, panel, {10, 10, 40, 40}); });
  EXPECT_GT(PixelAt(page, 48, 12)[0], 240);
  EXPECT_EQ(PixelAt(page, 48, 24), ColourAt(Colormap::kMagma, 1));
  EXPECT_EQ(PixelAt(page, 48, 36), ColourAt(Colormap::kMagma, 0));
}

TEST(PicturePlot, MarksStandInTheMiddleOfTheirCell) {
  MapPanel panel;
  panel.picture.grid = {1, 0, 2, 4};
  panel.marks = {{2.5, 0.5, 2, ""}};
  const Picture page = DrawnPage([&](ChartPage& to) { WriteMapPlot(to, panel, {10, 10, 80, 40}); });
  // A ring of radius 4 around (60, 20).
  const Rgb ring = PixelAt(page, 63, 20);
  EXPECT_LT(ring[0], 130);  // between green and white: it is a point wide
  EXPECT_GT(ring[1], ring[0] + 50);
  EXPECT_EQ(PixelAt(page, 60, 20), PixelAt(page, 15, 15));
}

TEST(PicturePlot, LinesJoinTheTwoPictures) {
  LinksPanel panel;
  panel.left.grid = panel.right.grid = {1, 0, 1, 1};
  panel.links = {{.from = {.x = 0.5, .y = 0.5}, .to = {.x = 0.5, .y = 0.5}, .colour = 0}};
  const Typesetter type;
  const double height = LinksHeight(panel, type, 90);
  EXPECT_NEAR(height, (90 - PagePoints(2)) / 2, 1e-9);
  const Picture page = DrawnPage([&](ChartPage& to) {
    WriteLinksPlot(to, panel, {5, 5, 90, height});
  });
  const int y = static_cast<int>(5 + height / 2);
  for (int x = 30; x < 70; ++x) EXPECT_LT(PixelAt(page, x, y)[0], 200) << x;
  panel.legend = {{0, "hit"}};
  EXPECT_GT(LinksHeight(panel, type, 90), height + 5);
}

TEST(PicturePlot, OnlyPanelsThatAskHaveABar) {
  MapPanel panel = PanelWithMap();
  EXPECT_FALSE(BarOf(panel));
  panel.bar = true;
  panel.unit = "mass";
  ASSERT_TRUE(BarOf(panel));
  EXPECT_EQ(BarOf(panel)->unit, "mass");
  EXPECT_EQ(BarOf(panel)->colormap, Colormap::kMagma);
}

}  // namespace
}  // namespace vggt
