// SPDX-License-Identifier: Apache-2.0
#include "report/heat_plot.h"

#include <gtest/gtest.h>

#include <cmath>

#include "image/png_codec.h"

namespace vggt {
namespace {

HeatPanel PanelOf(int64_t rows, int64_t cols) {
  HeatPanel panel;
  panel.rows = rows, panel.cols = cols;
  panel.values.assign(static_cast<size_t>(rows * cols), 0.5F);
  return panel;
}

TEST(HeatPlot, NamesAreThinnedToRoundSteps) {
  EXPECT_EQ(EveryName(5, 10), 1);
  EXPECT_EQ(EveryName(11, 10), 2);
  EXPECT_EQ(EveryName(35, 10), 4);
  EXPECT_EQ(EveryName(55, 10), 10);
  EXPECT_EQ(EveryName(7, 0.01), 1000);
  EXPECT_EQ(EveryName(7, 0), 1'000'000);
}

TEST(HeatPlot, CellsAreSquareUnlessThePageWouldBeFlatOrTall) {
  const Typesetter type;
  const HeatPanel square = PanelOf(10, 10), flat = PanelOf(1, 100), tall = PanelOf(100, 1);
  EXPECT_DOUBLE_EQ(HeatPlot(square, type, 150).HeightFor(100), 100);
  EXPECT_NEAR(HeatPlot(flat, type, 150).HeightFor(100), PagePoints(5), 1e-9);
  EXPECT_DOUBLE_EQ(HeatPlot(tall, type, 150).HeightFor(100), 135);
}

TEST(HeatPlot, LongNamesOfColumnsStandUpright) {
  const Typesetter type;
  HeatPanel panel = PanelOf(3, 3);
  panel.col_names = {"1", "2", "3"};
  const double flat = HeatPlot(panel, type, 100).margins().bottom;
  panel.col_names = {"IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"};
  EXPECT_GT(HeatPlot(panel, type, 100).margins().bottom, flat + 15);
}

TEST(HeatPlot, CellsStandWhereTheirRowAndColumnSay) {
  const Typesetter type;
  HeatPanel panel = PanelOf(2, 2);
  panel.values = {0, 1, NAN, 0.5F};
  const HeatPlot plot(panel, type, 100);
  ChartPage page(type);
  plot.Write(page, {0, 0, 40, 40});
  Canvas canvas(CanvasKind::kPng, 100, 60, 72, {});
  const PageTools tools{canvas, CanvasKind::kPng, 72};
  for (const auto& draw : page.draws()) draw(tools);
  const Picture drawn = DecodePng(canvas.Finish(), "page");
  const auto at = [&](int x, int y) {
    const uint8_t* p = drawn.rgb.data() + size_t{3} * (y * drawn.width + x);
    return Rgb{p[0], p[1], p[2]};
  };
  EXPECT_EQ(at(10, 10), ColourAt(Colormap::kViridis, 0));
  EXPECT_EQ(at(30, 10), ColourAt(Colormap::kViridis, 1));
  EXPECT_EQ(at(30, 30), ColourAt(Colormap::kViridis, 0.5));
  for (int y = 22; y < 38; ++y) {
    const Rgb none = at(10, y);  // grey with strokes, and no colour of the map
    EXPECT_LE(std::abs(none[0] - none[2]), 14) << y;
    EXPECT_GT(none[0], 150) << y;
  }
}

// Kinds of cells have a legend of swatches and no bar, and lines stand where they are said to.
TEST(HeatPlot, KindsHaveALegendAndEdges) {
  const Typesetter type;
  HeatPanel panel = PanelOf(2, 2);
  panel.values = {1, 1, 1, 0};
  panel.classes = {"no", "yes"};
  panel.col_edges = {0.5};
  const HeatPlot plot(panel, type, 100);
  ChartPage page(type);
  plot.Write(page, {0, 0, 40, 40});
  Canvas canvas(CanvasKind::kPng, 100, 60, 144, {});
  const PageTools tools{canvas, CanvasKind::kPng, 144};
  for (const auto& draw : page.draws()) draw(tools);
  const Picture drawn = DecodePng(canvas.Finish(), "page");
  const auto at = [&](double x, double y) {
    const uint8_t* p = drawn.rgb.data() + size_t{3} * (static_cast<int>(2 * y) * drawn.width +
                                                       static_cast<int>(2 * x));
    return Rgb{p[0], p[1], p[2]};
  };
  const Rgb yes = ColourAt(Colormap::kViridis, 1), no = ColourAt(Colormap::kViridis, 0);
  EXPECT_EQ(at(30, 10), yes);
  EXPECT_EQ(at(30, 30), no);
  EXPECT_NE(at(10, 10), yes);  // half a cell from the left
  EXPECT_NE(at(10, 30), yes);
  EXPECT_EQ(at(5, 30), yes);
  EXPECT_EQ(at(47, 3), yes);  // the swatches: the largest on top
  EXPECT_EQ(at(47, 12), no);
  EXPECT_EQ(at(47, 30), (Rgb{255, 255, 255}));  // where a bar would be
}

}  // namespace
}  // namespace vggt
