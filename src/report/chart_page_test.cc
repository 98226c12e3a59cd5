// SPDX-License-Identifier: Apache-2.0
#include "report/chart_page.h"

#include <gtest/gtest.h>

#include <set>

#include "image/png_codec.h"

namespace vggt {
namespace {

TEST(ChartPage, ColoursOfSeriesAreEightAndBeginAnew) {
  std::set<Rgb> colours;
  for (int i = 0; i < 8; ++i) colours.insert(SeriesColour(i));
  EXPECT_EQ(colours.size(), 8U);
  EXPECT_EQ(SeriesColour(9), SeriesColour(1));
  EXPECT_EQ(SeriesColour(-1), SeriesColour(7));
}

TEST(ChartPage, LegendsTakeAsManyLinesAsTheyNeed) {
  const Typesetter type;
  ChartPage page(type);
  const std::vector<LegendEntry> entries(4, {.label = "global", .colour = {0, 0, 0}});
  const double one = WriteLegend(page, entries, 0, 0, 400);
  const double two = WriteLegend(page, entries, 0, 0, 120);
  EXPECT_GT(one, 5);
  EXPECT_NEAR(two, 2 * one + 1, 1e-9);
  EXPECT_EQ(WriteLegend(page, {}, 0, 0, 100), 0);
}

TEST(ChartPage, BarsAreTheSameIfAllAboutThemIs) {
  const PageBar bar{Colormap::kMagma, {0, 2}, 1, false, "share"};
  PageBar other = bar;
  EXPECT_TRUE(SameBar(bar, other));
  other.range.high = 3;
  EXPECT_FALSE(SameBar(bar, other));
  other = bar;
  other.unit = "nats";
  EXPECT_FALSE(SameBar(bar, other));
}

TEST(ChartPage, AnUprightBarNeedsRoomForItsNumbersAndUnit) {
  const Typesetter type;
  const ChartPage page(type);
  const double bare = UprightBarWidth(page, {Colormap::kMagma, {0, 1}, 1, false, ""}, 100);
  EXPECT_GT(UprightBarWidth(page, {Colormap::kMagma, {0, 1}, 1, false, "nats"}, 100), bare + 5);
  EXPECT_GT(UprightBarWidth(page, {Colormap::kMagma, {0, 1e5}, 1, false, ""}, 100), bare + 3);
}

TEST(ChartPage, HatchingIsLightAndStaysInItsBox) {
  Canvas canvas(CanvasKind::kPng, 20, 20, 144, {});
  DrawHatched(canvas, {5, 5, 10, 10});
  const Picture page = DecodePng(canvas.Finish(), "page");
  int dark = 0;
  for (int y = 0; y < page.height; ++y) {
    for (int x = 0; x < page.width; ++x) {
      const uint8_t red = page.rgb[size_t{3} * (y * page.width + x)];
      if (x < 10 || x >= 30 || y < 10 || y >= 30) {
        EXPECT_EQ(red, 255) << x << ' ' << y;
      } else {
        EXPECT_GT(red, 150);
        dark += red < 230;
      }
    }
  }
  EXPECT_GT(dark, 20);
  EXPECT_LT(dark, 300);
}

}  // namespace
}  // namespace vggt
