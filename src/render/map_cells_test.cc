// SPDX-License-Identifier: Apache-2.0
#include "render/map_cells.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace vggt {
namespace {

using Rgba = std::array<int, 4>;

Rgba At(const CanvasCells& cells, int row, int col) {
  const uint8_t* p = cells.rgba.data() + size_t{4} * (row * cells.width + col);
  return {p[0], p[1], p[2], p[3]};
}

Rgba With(Colormap colormap, double position, int alpha) {
  const Rgb rgb = ColourAt(colormap, position);
  return {rgb[0], rgb[1], rgb[2], alpha};
}

TEST(MapCells, StrongerValuesAreMoreOpaque) {
  const std::vector<float> values = {0, 0.5F, 1, 7, NAN, -1};
  CellColours colours;
  colours.opacity = 0.6;
  const CanvasCells cells = CellsOf(values, 2, 3, colours);
  EXPECT_EQ(cells.width, 3);
  EXPECT_EQ(cells.height, 2);
  EXPECT_EQ(At(cells, 0, 0), With(Colormap::kJet, 0, 0));
  EXPECT_EQ(At(cells, 0, 1), With(Colormap::kJet, 0.5, 77));
  EXPECT_EQ(At(cells, 0, 2), With(Colormap::kJet, 1, 153));
  EXPECT_EQ(At(cells, 1, 0), With(Colormap::kJet, 1, 153));
  EXPECT_EQ(At(cells, 1, 1), (Rgba{0, 0, 0, 0}));
  EXPECT_EQ(At(cells, 1, 2), With(Colormap::kJet, 0, 0));
}

TEST(MapCells, AloneAllColoursAreOpaque) {
  const std::vector<float> values = {0, 0.25F, 1, NAN};
  CellColours colours{Colormap::kGrey, {0, 1, false}, 0.5, 0.6, true, false};
  const CanvasCells cells = CellsOf(values, 1, 4, colours);
  EXPECT_EQ(At(cells, 0, 0), (Rgba{0, 0, 0, 255}));
  EXPECT_EQ(At(cells, 0, 1), (Rgba{128, 128, 128, 255}));  // the square root of a quarter
  EXPECT_EQ(At(cells, 0, 2), (Rgba{255, 255, 255, 255}));
  EXPECT_EQ(At(cells, 0, 3), (Rgba{0, 0, 0, 0}));
}

TEST(MapCells, DifferencesAreStrongAtBothEnds) {
  const std::vector<float> values = {-2, -1, 0, 1, 2};
  CellColours colours{Colormap::kCoolwarm, {-2, 2, false}, 1, 0.8, false, true};
  const CanvasCells cells = CellsOf(values, 1, 5, colours);
  EXPECT_EQ(At(cells, 0, 0), With(Colormap::kCoolwarm, 0, 204));
  EXPECT_EQ(At(cells, 0, 1), With(Colormap::kCoolwarm, 0.25, 102));
  EXPECT_EQ(At(cells, 0, 2), With(Colormap::kCoolwarm, 0.5, 0));
  EXPECT_EQ(At(cells, 0, 3), With(Colormap::kCoolwarm, 0.75, 102));
  EXPECT_EQ(At(cells, 0, 4), With(Colormap::kCoolwarm, 1, 204));
}

TEST(MapCells, EnlargedCellsAreOfOneColour) {
  const std::vector<float> values = {0, 1, 1, 0};
  const CanvasCells cells = CellsOf(values, 2, 2, {}, 3);
  ASSERT_EQ(cells.width, 6);
  ASSERT_EQ(cells.height, 6);
  for (int row = 0; row < 6; ++row) {
    for (int col = 0; col < 6; ++col) {
      EXPECT_EQ(At(cells, row, col)[3], (row < 3) == (col < 3) ? 0 : 153) << row << " " << col;
    }
  }
}

TEST(MapCells, SmoothValuesLieBetweenTheirNeighbours) {
  const std::vector<float> values = {0, 1};
  CellColours colours;
  colours.opacity = 1;
  const CanvasCells cells = CellsOf(values, 1, 2, colours, 4, true);
  std::vector<int> alphas;
  for (int x = 0; x < 8; ++x) alphas.push_back(At(cells, 0, x)[3]);
  // The middles of the cells are at 1.5 and 5.5 pixels.
  EXPECT_EQ(alphas, (std::vector<int>{0, 0, 32, 96, 159, 223, 255, 255}));
}

TEST(MapCells, SmoothNothingStaysNothing) {
  const std::vector<float> values = {1, NAN};
  CellColours colours;
  colours.opacity = 1;
  const CanvasCells cells = CellsOf(values, 1, 2, colours, 4, true);
  for (int x = 0; x < 8; ++x) EXPECT_EQ(At(cells, 2, x)[3], x < 4 ? 255 : 0) << x;
}

TEST(MapCells, WhereAllDifferencesAreNothingEachLiesInTheMiddle) {
  CellColours colours;
  colours.colormap = Colormap::kCoolwarm;
  colours.diverging = colours.opaque = true;
  colours.range = {0, 0, false};
  const CanvasCells cells = CellsOf(std::vector<float>{0, NAN}, 1, 2, colours);
  EXPECT_EQ(At(cells, 0, 0), With(Colormap::kCoolwarm, 0.5, 255));
  EXPECT_EQ(At(cells, 0, 1), (Rgba{0, 0, 0, 0}));
}

}  // namespace
}  // namespace vggt
