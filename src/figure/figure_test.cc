// SPDX-License-Identifier: Apache-2.0
#include "figure/figure.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/error.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;

Figure Small() {
  Figure figure;
  figure.frames.emplace_back().grid = {2, 3, 2, 3, 1, 1};
  figure.bars.emplace_back();
  FigureCell cell;
  cell.map = FigureMap{std::vector<float>(6, 0.5F), {0, 1, false}, 0};
  figure.groups.push_back({"", {{"", "", {cell}}}, 1});
  return figure;
}

std::string Refusal(const Figure& figure) {
  try {
    CheckFigure(figure);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Figure, WhatFitsIsAccepted) { EXPECT_EQ(Refusal(Small()), ""); }

TEST(Figure, SizesAreBounded) {
  for (const double width : {39.9, 400.1, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    Figure figure = Small();
    figure.width = width;
    EXPECT_THAT(Refusal(figure), HasSubstr("40 to 400 mm")) << width;
  }
  for (const int dpi : {0, 71, 601}) {
    Figure figure = Small();
    figure.dpi = dpi;
    EXPECT_THAT(Refusal(figure), HasSubstr("72 to 600")) << dpi;
  }
}

TEST(Figure, NothingRefersToWhatIsNotThere) {
  Figure figure = Small();
  figure.groups[0].columns[0].cells[0].frame = 1;
  EXPECT_THAT(Refusal(figure), HasSubstr("a figure of 1 frames refers to frame 1"));
  figure = Small();
  figure.panels.emplace_back().frame = 7;
  EXPECT_THAT(Refusal(figure), HasSubstr("refers to frame 7"));
  figure = Small();
  figure.bars.clear();
  EXPECT_THAT(Refusal(figure), HasSubstr("bar 0 of 0"));
  figure = Small();
  figure.groups[0].columns[0].cells.resize(2);
  figure.row_labels = {"1"};
  EXPECT_THAT(Refusal(figure), HasSubstr("a column of 2 cells with labels for 1"));
}

TEST(Figure, MapsFillTheirGrids) {
  Figure figure = Small();
  figure.groups[0].columns[0].cells[0].map->values.pop_back();
  EXPECT_THAT(Refusal(figure), HasSubstr("a map of 5 values does not fill 2 × 3 cells"));
  figure = Small();
  figure.frames[0].grid.rows = 0;
  EXPECT_THAT(Refusal(figure), HasSubstr("a grid with a side of 0"));
  figure = Small();
  figure.frames[0].transform = FrameTransform{};
  EXPECT_THAT(Refusal(figure), HasSubstr("a transform with a side of 0"));
}

TEST(Figure, NothingIsNoFigure) {
  Figure figure = Small();
  figure.groups.clear();
  EXPECT_THAT(Refusal(figure), HasSubstr("without pictures"));
  figure.frames.clear();
  EXPECT_THAT(Refusal(figure), HasSubstr("without pictures"));
}

}  // namespace
}  // namespace vggt
