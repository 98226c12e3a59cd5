// SPDX-License-Identifier: Apache-2.0
#include "figure/figure_parts.h"

#include <gtest/gtest.h>

#include <set>

#include "figure_testing.h"

namespace vggt {
namespace {

using testing::FigureKind;
using testing::FigurePixels;
using testing::FigureWish;
using testing::OneMap;
using testing::SomeFigure;

constexpr Rgb kGreen = {0, 208, 90}, kOrange = {255, 149, 0}, kPageWhite = {255, 255, 255};

TEST(FigureParts, QueriesDifferInColourAndDash) {
  std::set<Rgb> colours;
  std::set<std::vector<double>> dashes;
  for (int query = 1; query <= 4; ++query) {
    colours.insert(QueryStroke(query, 1).colour);
    dashes.insert(QueryStroke(query, 1).dash);
  }
  EXPECT_EQ(colours.size(), 4U);
  EXPECT_EQ(dashes.size(), 4U);
}

// 56 mm for 6 cells, from the margin on.
TEST(FigureParts, CellsHaveTheColoursOfTheirValues) {
  const Figure figure = OneMap();
  const FigurePixels pixels(figure);
  const double cell = 56.0 / 6;
  for (int row = 0; row < 4; ++row) {
    for (int col = 0; col < 6; ++col) {
      const float value = figure.groups[0].columns[0].cells[0].map->values[row * 6 + col];
      const Rgb expected = ColourAt(Colormap::kJet, value);
      for (const double at : {0.1, 0.5, 0.9}) {
        EXPECT_EQ(pixels.AtMm(2 + (col + at) * cell, 2 + (row + at) * cell), expected)
            << row << " " << col;
      }
    }
  }
}

TEST(FigureParts, GammaRangeAndNothingCount) {
  Figure figure = OneMap();
  FigureMap& map = *figure.groups[0].columns[0].cells[0].map;
  map.range = {0, 0.5, false};
  map.values[0] = 0.125F;
  map.values[1] = NAN;
  figure.looks.gamma = 2;
  const FigurePixels pixels(figure);
  EXPECT_EQ(pixels.AtMm(6, 6), ColourAt(Colormap::kJet, 0.0625));
  EXPECT_EQ(pixels.AtMm(15, 6), (Rgb{241, 242, 244}));  // as where no picture is
}

TEST(FigureParts, WhatTheModelHasNotSeenIsPale) {
  Figure figure = OneMap();
  // Only the middle 100 of 200 rows are kept.
  figure.frames[0].transform = FrameTransform{300, 200, 300, 200, 50, 100, 0, 0, 300, 100};
  const FigurePixels pixels(figure);
  const double high = 56.0 * 2 / 3;
  EXPECT_EQ(pixels.AtMm(30, 2 + 0.2 * high), (Rgb{251, 251, 252}));
  EXPECT_EQ(pixels.AtMm(30, 2 + 0.8 * high), (Rgb{251, 251, 252}));
  EXPECT_EQ(pixels.AtMm(6, 2 + 0.26 * high), ColourAt(Colormap::kJet, 0));
}

TEST(FigureParts, MatchesGetACircle) {
  Figure figure = OneMap();
  figure.dpi = 300;
  const FigurePixels without(figure);
  figure.groups[0].columns[0].cells[0].match = FigurePatch{1, 2};
  const FigurePixels pixels(figure);
  const double cell = 56.0 / 6, x = 2 + 2.5 * cell, y = 2 + 1.5 * cell;
  const double radius = 4.2 * 25.4 / 72;
  EXPECT_EQ(pixels.AtMm(x, y), without.AtMm(x, y));
  EXPECT_EQ(pixels.AtMm(x + radius, y), kPageWhite);
  EXPECT_EQ(pixels.AtMm(x - radius, y), kPageWhite);
  EXPECT_EQ(pixels.AtMm(x, y + radius), kPageWhite);
  EXPECT_EQ(pixels.AtMm(x, y + 1.5 * radius), without.AtMm(x, y + 1.5 * radius));
}

// The panel is 40 mm wide, and its first cell is marked.
TEST(FigureParts, TheQueryIsMarkedOnItsPicture) {
  Figure figure = SomeFigure();
  figure.dpi = 300;
  const FigurePixels pixels(figure);
  EXPECT_GT(pixels.CountMm(kGreen, 1.4, 8, 10, 22, 10), 200);
  EXPECT_EQ(pixels.CountMm(kGreen, 12, 0, 42, 40, 10), 0);
}

TEST(FigureParts, SeveralQueriesHaveTheirColours) {
  FigureWish wish;
  wish.queries = 4;
  Figure figure = SomeFigure(wish);
  figure.dpi = 300;
  const FigurePixels pixels(figure);
  for (int query = 1; query <= 4; ++query) {
    EXPECT_GT(pixels.Count(QueryStroke(query, 1).colour, 12), 20) << query;
  }
}

TEST(FigureParts, TheTargetHasABorder) {
  Figure figure = SomeFigure();
  figure.bars[0].colormap = Colormap::kGrey;
  EXPECT_EQ(FigurePixels(figure).Count(kOrange, 10), 0);
  figure.panels[0].target = true;
  EXPECT_GT(FigurePixels(figure).Count(kOrange, 10), 200);
}

// Between the panel and the maps, and between the maps, there is none of the line.
TEST(FigureParts, MatchLinesStayInTheTwoPicturesThatTheyJoin) {
  Figure figure = SomeFigure();
  figure.looks.alone = true;
  figure.looks.lines = true;
  figure.groups[0].columns[0].cells[2].match = FigurePatch{3, 5};
  const FigurePixels with(figure);
  figure.looks.lines = false;
  const FigurePixels without(figure);
  int in_panel = 0, in_cells = 0;
  for (int y = 0; y < with.height(); ++y) {
    for (int x = 0; x < with.width(); ++x) {
      if (with.At(x, y) == without.At(x, y)) continue;
      const double mm = x * 25.4 / figure.dpi;
      (mm < 44 ? in_panel : in_cells) += 1;
      EXPECT_FALSE(mm > 42.2 && mm < 45.7) << mm;
    }
  }
  EXPECT_GT(in_panel, 100);
  EXPECT_GT(in_cells, 100);
}

// However many lines start at it.
TEST(FigureParts, NumbersOfQueriesAreNotCovered) {
  FigureWish wish;
  wish.queries = 2;
  wish.pictures = 12;
  Figure figure = SomeFigure(wish);
  figure.dpi = 300;
  const auto black = [&figure](bool lines) {
    figure.looks.lines = lines;
    // The number's dark field, at the right of the first cell.
    return FigurePixels(figure).CountMm({48, 48, 48}, 9.3, 9, 12, 20, 8);
  };
  EXPECT_GT(black(false), 100);
  EXPECT_GE(black(true), black(false));
}

TEST(FigureParts, TheBarHasTheColoursOfItsMap) {
  Figure figure = OneMap();
  figure.bars[0].ticks.clear();
  const FigurePixels pixels(figure);
  // Below the map: 56 mm wide, 2.2 mm high.
  const double y = 2 + 56.0 * 2 / 3 + 1 + 1 + 1.1;
  for (const double at : {0.02, 0.3, 0.5, 0.8, 0.98}) {
    const Rgb expected = ColourAt(Colormap::kJet, at), got = pixels.AtMm(2 + at * 56, y);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(got[c], expected[c], 9) << at;
  }
}

TEST(FigureParts, EndsOfABarAreWrittenBeforeItsMiddle) {
  Figure figure = OneMap();
  figure.bars[0].label = "";
  const auto ink = [&figure](std::vector<FigureTick> ticks) {
    figure.bars[0].ticks = std::move(ticks);
    const FigurePixels pixels(figure);
    const double top = 2 + 56.0 * 2 / 3 + 1 + 1 + 3.2;
    return std::array{pixels.CountMm(kInk, 2, top, 20, top + 3, 90),
                      pixels.CountMm(kInk, 20, top, 40, top + 3, 90),
                      pixels.CountMm(kInk, 40, top, 58, top + 3, 90)};
  };
  const auto all = ink({{0, "0"}, {0.5, "5"}, {1, "≥ 10"}});
  for (const int part : all) EXPECT_GT(part, 0);
  const std::string wide = "a number of very many digits, which";
  EXPECT_EQ(ink({{0, wide}, {0.5, "5"}, {1, "1"}}), ink({{0, wide}, {1, "1"}}));
}

}  // namespace
}  // namespace vggt
