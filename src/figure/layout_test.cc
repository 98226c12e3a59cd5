// SPDX-License-Identifier: Apache-2.0
#include "figure/layout.h"

#include <gtest/gtest.h>

#include "figure_testing.h"

namespace vggt {
namespace {

using testing::FigureKind;
using testing::FigurePixels;
using testing::FigureWish;
using testing::SomeFigure;

constexpr double kPointsPerMm = 72 / 25.4;

Sheet Laid(const Figure& figure) {
  std::vector<FrameGeometry> geometries(figure.frames.begin(), figure.frames.end());
  const Typesetter type;
  return LayOut(figure, geometries, type);
}

double HeightMm(const FigureWish& wish) { return Laid(SomeFigure(wish)).height / kPointsPerMm; }

std::string Described(const FigureWish& wish) {
  return std::to_string(static_cast<int>(wish.kind)) + ", " + std::to_string(wish.pictures) +
         " pictures, " + std::to_string(wish.columns) + " columns, " +
         std::to_string(wish.queries) + " queries, " + std::to_string(wish.width) + " mm" +
         (wish.compared ? ", compared" : "") + (wish.upright ? ", upright" : "");
}

TEST(Layout, NothingReachesTheEdgeOfThePage) {
  const std::string long_name(200, 'm');
  for (const double width : {40.0, 85.0, 170.0}) {
    for (const bool upright : {false, true}) {
      for (const FigureWish& wish :
           {FigureWish{FigureKind::kFrames, 1, 1, 1, false, upright, width},
            FigureWish{FigureKind::kFrames, 5, 1, 2, false, upright, width, long_name},
            FigureWish{FigureKind::kFrames, 12, 1, 1, false, upright, width, "厨房照片.jpg"},
            FigureWish{FigureKind::kFrames, 50, 1, 1, false, upright, width, long_name, false},
            FigureWish{FigureKind::kFrames, 2, 1, 1, true, upright, width},
            FigureWish{FigureKind::kColumns, 3, 24, 1, false, upright, width, long_name},
            FigureWish{FigureKind::kColumns, 2, 6, 1, true, upright, width},
            FigureWish{FigureKind::kMatrix, 24, 16, 1, false, upright, width},
            FigureWish{FigureKind::kMatrix, 6, 4, 2, false, upright, width}}) {
        Figure figure = SomeFigure(wish);
        figure.title = "Title " + long_name;
        figure.looks.lines = true;
        figure.dpi = 72;
        const FigurePixels pixels(figure);
        EXPECT_TRUE(pixels.HasEmptyEdge(0.4)) << Described(wish);
        EXPECT_EQ(pixels.width(), static_cast<int>(std::ceil(width / 25.4 * figure.dpi - 1e-6)));
        EXPECT_GT(pixels.mm_high(), 20) << Described(wish);
        EXPECT_LT(pixels.mm_high(), 3000) << Described(wish);
      }
    }
  }
}

TEST(Layout, ThePageIsAsWideAsItSays) {
  for (const double width : {40.0, 85.0, 170.0, 400.0}) {
    FigureWish wish;
    wish.width = width;
    EXPECT_NEAR(Laid(SomeFigure(wish)).width, width * kPointsPerMm, 1e-9);
  }
}

TEST(Layout, PanelsStandBesideTheMapsOnWidePages) {
  FigureWish wish;
  const double beside = HeightMm(wish);
  wish.width = 85;
  EXPECT_GT(HeightMm(wish), 1.5 * beside);
}

TEST(Layout, WhatIsLeftOutTakesNoRoom) {
  Figure figure = SomeFigure();
  const double whole = Laid(figure).height;
  figure.title = figure.subtitle = "";
  const double without_title = Laid(figure).height;
  EXPECT_LT(without_title, whole - 15);
  figure.footer = {""};
  EXPECT_LT(Laid(figure).height, without_title - 15);
}

TEST(Layout, ManyColumnsFollowInBands) {
  const double one = HeightMm({FigureKind::kColumns, 1, 8, 1, false, false, 170});
  const double three = HeightMm({FigureKind::kColumns, 1, 24, 1, false, false, 170});
  EXPECT_GT(three, one + 20);
  // Each band has the columns of all groups, so that they can be compared.
  const double compared = HeightMm({FigureKind::kColumns, 1, 24, 1, true, false, 170});
  EXPECT_GT(compared, three + 60);
}

TEST(Layout, AFewGroupsStandSideBySide) {
  const double three = HeightMm({FigureKind::kFrames, 1, 1, 1, true, false, 170});
  const double one = HeightMm({FigureKind::kFrames, 1, 1, 1, false, false, 170});
  EXPECT_LT(three, one + 15);
}

TEST(Layout, PicturesAreKeptAtTheSizeOfTheirWidestPlace) {
  Figure figure = SomeFigure();
  for (FigureFrame& frame : figure.frames) frame.picture = "somewhere.jpg";
  figure.groups[0].columns[0].cells[2].picture = false;
  const Sheet sheet = Laid(figure);
  ASSERT_EQ(sheet.picture_widths.size(), 3U);
  EXPECT_NEAR(sheet.picture_widths[0], 40 * kPointsPerMm, 3);
  EXPECT_GT(sheet.picture_widths[1], 35 * kPointsPerMm);
  EXPECT_EQ(sheet.picture_widths[2], 0);
  figure.looks.alone = true;
  EXPECT_EQ(Laid(figure).picture_widths[1], 0);
}

// Lines of a matrix run from its left to its right edge, and from top to bottom.
TEST(Layout, TheGridOfAMatrixIsUnbroken) {
  FigureWish wish;
  wish.kind = FigureKind::kMatrix;
  wish.pictures = 5;
  wish.columns = 4;
  wish.panels = false;
  Figure figure = SomeFigure(wish);
  figure.dpi = 300;
  const FigurePixels pixels(figure);
  constexpr Rgb kLine = {200, 203, 209};
  int rows = 0, columns = 0;
  for (int y = 0; y < pixels.height(); ++y) {
    int most = 0, run = 0;
    for (int x = 0; x < pixels.width(); ++x) {
      run = pixels.At(x, y) == kLine ? run + 1 : 0;
      most = std::max(most, run);
    }
    // Four columns of 40 mm.
    rows += most > 158 / 25.4 * 300;
  }
  for (int x = 0; x < pixels.width(); ++x) {
    int most = 0, run = 0;
    for (int y = 0; y < pixels.height(); ++y) {
      run = pixels.At(x, y) == kLine ? run + 1 : 0;
      most = std::max(most, run);
    }
    columns += most > 5 * 25 / 25.4 * 300;
  }
  EXPECT_GE(rows, 6);
  EXPECT_GE(columns, 5);
}

TEST(Layout, NotesOfAMatrixStandBelowTheirMaps) {
  FigureWish wish;
  wish.kind = FigureKind::kMatrix;
  wish.pictures = 4;
  wish.columns = 4;
  Figure figure = SomeFigure(wish);
  const double without = Laid(figure).height;
  for (FigureColumn& column : figure.groups[0].columns) {
    for (FigureCell& cell : column.cells) cell.note = "to 0.00146";
  }
  EXPECT_NEAR(Laid(figure).height, without + 4 * 7.26, 2);
}

// Sixteen columns have no room for a number each, so that they stand in bands.
TEST(Layout, NumbersBelowMapsAreNotBroken) {
  FigureWish wish;
  wish.kind = FigureKind::kMatrix;
  wish.pictures = 2;
  wish.columns = 16;
  wish.width = 85;
  Figure figure = SomeFigure(wish);
  const double one_band = Laid(figure).height;
  for (FigureColumn& column : figure.groups[0].columns) {
    for (FigureCell& cell : column.cells) cell.note = "to 0.00146";
  }
  EXPECT_GT(Laid(figure).height, one_band + 60);
}

}  // namespace
}  // namespace vggt
