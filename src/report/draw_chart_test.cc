// SPDX-License-Identifier: Apache-2.0
#include "report/draw_chart.h"

#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "image/png_codec.h"
#include "report/chart_page.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string FileText(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

Picture Drawn(const Chart& chart) {
  return DecodePng(DrawChart(chart, FigureFormat::kPng), "chart");
}

// How many pixels are about of this colour.
int64_t CountOf(const Picture& page, const Rgb& colour) {
  int64_t count = 0;
  for (size_t i = 0; i < page.rgb.size(); i += 3) {
    int apart = 0;
    for (size_t c = 0; c < 3; ++c) apart = std::max(apart, std::abs(page.rgb[i + c] - colour[c]));
    count += apart <= 2;
  }
  return count;
}

LinePanel Lines(const std::string& label, int colour) {
  LinePanel panel;
  panel.title = "entropy";
  panel.x_label = "layer";
  panel.y_label = "nats";
  panel.series = {{.label = label,
                   .colour = colour,
                   .x = {1, 2, 3, 4},
                   .y = {1, NAN, 3, 2},
                   .low = {0.5, NAN, 2, 1},
                   .high = {1.5, NAN, 4, 3}}};
  panel.levels = {{2.5, "uniform"}};
  return panel;
}

HeatPanel Matrix() {
  HeatPanel panel;
  panel.title = "mass";
  panel.unit = "share";
  panel.rows = 2, panel.cols = 3;
  panel.values = {0, 0.25, 0.5, NAN, 0.75, 1};
  panel.row_names = {"a", "b"};
  panel.col_names = {"1", "2", "3"};
  panel.numbers = true;
  return panel;
}

MapPanel Map(const std::string& unit) {
  MapPanel panel;
  panel.picture.grid = {1, 0, 2, 3};
  panel.map = {0, 1, 2, 3, 4, 5};
  panel.colours.range = {0, 5};
  panel.colours.opaque = true;
  panel.unit = unit;
  panel.bar = true;
  panel.marks = {{1.5, 0.5, 1, "1"}};
  return panel;
}

// All kinds of panels.
Chart Everything() {
  Chart chart;
  chart.name = "all";
  chart.title = "All kinds of panels";
  chart.caption = "Softmax over all keys.";
  chart.columns = 2;
  LinksPanel links;
  links.left.grid = links.right.grid = {1, 0, 2, 3};
  links.links = {{.from = {.x = 0.5, .y = 0.5}, .to = {.x = 2.5, .y = 1.5}, .colour = 2}};
  links.legend = {{2, "hit"}};
  chart.panels = {Lines("global", 0), Matrix(), Map("mass"), links};
  return chart;
}

TEST(DrawChart, PagesAreAsWideAsAsked) {
  Chart chart = Everything();
  EXPECT_EQ(Drawn(chart).width, 2008);  // 170 mm at 300 dpi
  chart.width = 85;
  EXPECT_EQ(Drawn(chart).width, 1004);
  EXPECT_THAT(FileText(DrawChart(chart, FigureFormat::kSvg)), HasSubstr("width=\"240.94"));
  chart.width = 20;
  EXPECT_THAT(ErrorOf([&] { DrawChart(chart, FigureFormat::kPdf); }), HasSubstr("20 mm wide"));
}

TEST(DrawChart, FilesSayWhatTheyAreAndEmbedTheFont) {
  const std::string svg =
      FileText(DrawChart(Everything(), FigureFormat::kSvg, "vggt-attn 1", "{}"));
  EXPECT_THAT(svg, HasSubstr("<title>All kinds of panels</title>"));
  EXPECT_THAT(svg, HasSubstr("<metadata>{}</metadata>"));
  const std::string pdf = FileText(DrawChart(Everything(), FigureFormat::kPdf, "vggt-attn 1"));
  EXPECT_THAT(pdf, HasSubstr("+Inter-Regular"));
  EXPECT_THAT(pdf, HasSubstr("/Creator (vggt-attn 1)"));
}

TEST(DrawChart, TheSameChartGivesTheSameBytes) {
  for (const FigureFormat format : {FigureFormat::kPng, FigureFormat::kSvg, FigureFormat::kPdf}) {
    const std::vector<uint8_t> first = DrawChart(Everything(), format);
    std::vector<uint8_t> second;
    std::thread([&] { second = DrawChart(Everything(), format); }).join();
    EXPECT_EQ(first, second) << static_cast<int>(format);
  }
}

TEST(DrawChart, EachKindOfPanelShows) {
  const Picture page = Drawn(Everything());
  EXPECT_GT(CountOf(page, SeriesColour(0)), 300);  // the line
  EXPECT_GT(CountOf(page, ColourAt(Colormap::kViridis, 1)), 5000);
  EXPECT_GT(CountOf(page, ColourAt(Colormap::kJet, 0.4)), 5000);
  EXPECT_GT(CountOf(page, SeriesColour(2)), 300);  // the match
  // A band of 25 % over white.
  EXPECT_GT(CountOf(page, {191, 220, 235}), 300);
}

TEST(DrawChart, PanelsWithEqualLabelsShareALegend) {
  Chart chart;
  chart.columns = 1;
  chart.panels = {Lines("global", 0), Lines("global", 0)};
  const int shared = Drawn(chart).height;
  std::get<LinePanel>(chart.panels[1]).series[0].colour = 1;
  EXPECT_GT(Drawn(chart).height, shared);  // one legend each
}

TEST(DrawChart, RowsOfMapsWithEqualColoursShareABar) {
  Chart chart;
  chart.columns = 1;
  chart.panels = {Map("mass"), Map("mass")};
  const int shared = Drawn(chart).height;
  std::get<MapPanel>(chart.panels[1]).colours.range.high = 6;
  EXPECT_GT(Drawn(chart).height, shared + 20);
}

TEST(DrawChart, WhatCannotBeDrawnIsToldAndWhatIsOddIsDrawn) {
  EXPECT_THAT(ErrorOf([] { DrawChart({}, FigureFormat::kPng); }), HasSubstr("no panels"));
  Chart chart;
  HeatPanel empty = Matrix();
  std::fill(empty.values.begin(), empty.values.end(), NAN);
  HeatPanel infinite = Matrix();
  infinite.values[0] = INFINITY;
  LinePanel nothing;
  LinePanel zeros = Lines("", 0);
  zeros.log_x = zeros.log_y = true;
  zeros.series[0].x = {0, 0, 1, 2};
  zeros.series[0].y = {0, -1, 0, 1};
  zeros.levels = {{0, "none"}, {INFINITY, "all"}};
  chart.panels = {empty, infinite, nothing, zeros};
  EXPECT_GT(Drawn(chart).height, 100);
}

TEST(DrawChart, NamesOfAnyLengthStayOnThePage) {
  Chart chart;
  chart.width = 85;
  HeatPanel panel = Matrix();
  panel.row_names = {std::string(3000, 'x'), "\xff\xfe"};
  panel.col_names = {std::string(3000, 'y'), "b", "c"};
  chart.panels = {panel};
  chart.columns = 1;
  const Picture page = Drawn(chart);
  for (int y = 0; y < page.height; ++y) {
    for (const int x : {0, page.width - 1}) {
      EXPECT_EQ(page.rgb[size_t{3} * (y * page.width + x)], 255) << x << ' ' << y;
    }
  }
}

}  // namespace
}  // namespace vggt
