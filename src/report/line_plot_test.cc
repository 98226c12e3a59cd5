// SPDX-License-Identifier: Apache-2.0
#include "report/line_plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "image/png_codec.h"

namespace vggt {
namespace {

// A plot in a box from (20, 10) to (80, 50) on a page of 100 × 70 points at 144 dpi.
Picture DrawnPlot(const LinePanel& panel) {
  const Typesetter type;
  const LinePlot plot(panel, type, 100);
  ChartPage page(type);
  plot.Write(page, {20, 10, 60, 40});
  Canvas canvas(CanvasKind::kPng, 100, 70, 144, {});
  const PageTools tools{canvas, CanvasKind::kPng, 144};
  for (const auto& draw : page.draws()) draw(tools);
  return DecodePng(canvas.Finish(), "plot");
}

bool IsColour(const Picture& page, double x, double y, const Rgb& colour, int apart) {
  const uint8_t* p = page.rgb.data() +
                     size_t{3} * (static_cast<int>(2 * y) * page.width + static_cast<int>(2 * x));
  for (size_t c = 0; c < 3; ++c) {
    if (std::abs(p[c] - colour[c]) > apart) return false;
  }
  return true;
}

TEST(LinePlot, LinesGoThroughTheirValues) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {{.colour = 0, .x = {0, 1, 2, 3, 4}, .y = {0.5, 0.5, NAN, 0.5, 0.5}}};
  const Picture page = DrawnPlot(panel);
  EXPECT_TRUE(IsColour(page, 25, 30, SeriesColour(0), 8));
  EXPECT_TRUE(IsColour(page, 75, 30, SeriesColour(0), 8));
  EXPECT_FALSE(IsColour(page, 50, 30, SeriesColour(0), 40));  // interrupted
  EXPECT_FALSE(IsColour(page, 25, 27, SeriesColour(0), 40));
}

TEST(LinePlot, AValueBetweenGapsIsADot) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {{.colour = 1, .x = {0, 1, 2}, .y = {NAN, 0.25, NAN}}};
  EXPECT_TRUE(IsColour(DrawnPlot(panel), 50, 40, SeriesColour(1), 8));
}

TEST(LinePlot, BandsReachFromLowToHigh) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {
      {.colour = 0, .x = {0, 1}, .y = {0.5, 0.5}, .low = {0.25, 0.25}, .high = {0.8, 0.8}}};
  const Picture page = DrawnPlot(panel);
  constexpr Rgb kBand = {191, 220, 235};
  EXPECT_TRUE(IsColour(page, 50, 37, kBand, 3));
  EXPECT_TRUE(IsColour(page, 50, 21, kBand, 3));
  EXPECT_FALSE(IsColour(page, 50, 42, kBand, 15));
  EXPECT_FALSE(IsColour(page, 50, 15, kBand, 15));
}

TEST(LinePlot, WhatIsOutsideAGivenAxisIsCutOff) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {{.colour = 2, .x = {0, 1, 2}, .y = {0.5, 1e30, 0.5}}};
  const Picture page = DrawnPlot(panel);
  for (int x = 0; x < 100; ++x) EXPECT_FALSE(IsColour(page, x, 5, SeriesColour(2), 40)) << x;
}

// The darkest of a part of the page, in points.
int Darkest(const Picture& page, int left, int right, int top, int bottom) {
  int darkest = 255;
  for (int y = 2 * top; y < 2 * bottom; ++y) {
    for (int x = 2 * left; x < 2 * right; ++x) {
      darkest = std::min<int>(darkest, page.rgb[size_t{3} * (y * page.width + x)]);
    }
  }
  return darkest;
}

// No curve is at the right of a plot: the names of levels are, one below the other.
TEST(LinePlot, NamesOfLevelsStandBesideThePlot) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {{.colour = 0, .x = {0, 4}, .y = {0.1, 0.1}}};
  const Typesetter type;
  const double without = LinePlot(panel, type, 100).margins().right;
  panel.levels = {{0.5, "code"}};
  EXPECT_GT(LinePlot(panel, type, 100).margins().right, without + 5);
  const Picture page = DrawnPlot(panel);
  EXPECT_LT(Darkest(page, 83, 95, 26, 34), 150);
  EXPECT_GT(Darkest(page, 83, 95, 35, 42), 250);
  EXPECT_GT(Darkest(page, 22, 79, 22, 29), 200);  // nothing over the plot but the axis's lines
  panel.levels = {{0.5, "code"}, {0.5, "code"}};
  EXPECT_LT(Darkest(DrawnPlot(panel), 83, 95, 35, 42), 150);
}

// Pictures and layers are numbered one by one where there is room.
TEST(LinePlot, FewWholeNumbersAllStandAtTheAxis) {
  LinePanel panel;
  panel.y_low = 0, panel.y_high = 1;
  panel.series = {{.colour = 0, .x = {0, 1, 2, 3, 4}, .y = {0, 1, 0, 1, 0}}};
  const Picture page = DrawnPlot(panel);
  for (int number = 0; number < 5; ++number) {
    const double x = 20 + 60 * (0.02 * 4 + number) / (1.04 * 4);
    bool ink = false;
    for (double y = 55; y < 62; y += 0.5) {
      for (double dx = -2; dx <= 2; dx += 0.5) {
        ink = ink || !IsColour(page, x + dx, y, {255, 255, 255}, 60);
      }
    }
    EXPECT_TRUE(ink) << number;
  }
}

TEST(LinePlot, LegendsNameSeriesWithLabels) {
  LinePanel panel;
  panel.series = {{.label = "global", .colour = 3, .dashed = true}, {.colour = 1}};
  const std::vector<LegendEntry> legend = LegendOf(panel);
  ASSERT_EQ(legend.size(), 1U);
  EXPECT_EQ(legend[0].label, "global");
  EXPECT_EQ(legend[0].colour, SeriesColour(3));
  EXPECT_TRUE(legend[0].dashed);
  EXPECT_FALSE(legend[0].band);
}

}  // namespace
}  // namespace vggt
