// SPDX-License-Identifier: Apache-2.0
// A figure of panels: lines, matrices, maps over pictures, pairs of pictures with lines between
// them. It says what is shown; report/draw_chart.h says where it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/frame_transform.h"
#include "core/token_grid.h"
#include "render/canvas.h"
#include "render/colormap.h"
#include "render/map_cells.h"

namespace vggt {

// One line of a plot. x ascends; NaN interrupts the line.
struct ChartSeries {
  std::string label = {};  // in the legend; empty: none
  int colour = 0;          // a place in a palette of eight that colour-blind people tell apart
  bool dashed = false;
  bool points = false;  // a dot at each value
  std::vector<double> x = {}, y = {};
  std::vector<double> low = {}, high = {};  // a band around the line; empty: none
};

struct LinePanel {
  std::string title = {}, x_label = {}, y_label = {};  // labels name the unit: "entropy (nats)"
  std::vector<ChartSeries> series = {};
  std::optional<double> y_low = {}, y_high = {};  // where the axis ends; absent: of the values
  bool log_x = false, log_y = false;
  std::vector<std::pair<double, std::string>> levels = {};  // thin horizontal lines and their names
};

// A matrix of cells with a colour bar, or with a legend if its values are kinds of things.
struct HeatPanel {
  std::string title = {}, x_label = {}, y_label = {}, unit = {};
  int64_t rows = 0, cols = 0;
  std::vector<float> values = {};  // [rows, cols]; NaN: no value, drawn as such
  std::vector<std::string> row_names = {},
                           col_names = {};  // as many as rows and cols; as fit are written
  Colormap colormap = Colormap::kViridis;
  std::optional<ColourRange> range = {};                 // absent: least to largest
  bool numbers = false;                                  // written in the cells, where they fit
  std::vector<std::pair<int64_t, int64_t>> marked = {};  // (row, col), framed
  // What the values 0, 1, … mean, two or more: a legend of these stands in the place of the bar.
  std::vector<std::string> classes = {};
  std::vector<double> row_edges = {}, col_edges = {};  // thin lines, in cells from the first edge
};

// A picture of the export as the model saw it or as it was, turned upright.
struct ChartPicture {
  CanvasPicture picture = {};     // null pixels: a grey field
  FrameTransform transform = {};  // original → model pixels; no original_width: the grid fills it
  TokenGrid grid = {};            // whose cells maps have
};

// Where a patch's centre, in cells, lies on a picture: column + 0.5, row + 0.5.
struct ChartMark {
  double x = 0, y = 0;  // cells of the grid, from its upper left corner
  int colour = 0;
  std::string text = {};
};

// How maps of attention lie over pictures in all figures: bright colours stand out from a picture
// that is darkened.
inline constexpr double kMapOpacity = 0.95;  // of the last colour
inline constexpr double kMapShade = 0.55;

struct MapPanel {
  std::string title = {};
  ChartPicture picture = {};
  std::vector<float> map = {};  // [height, width] of the grid; empty: none
  double shade = 0;             // black over the picture, under the map: 0 none, 1 all
  CellColours colours = {};
  std::string unit = {};  // of its colour bar; panels of one row with equal colours share one
  bool bar = false;       // whether it has one
  std::vector<ChartMark> marks = {};
};

struct LinksPanel {
  std::string title = {};
  ChartPicture left = {}, right = {};
  struct Link {
    ChartMark from = {}, to = {};
    int colour = 0;
  };
  std::vector<Link> links = {};
  std::vector<std::pair<int, std::string>> legend = {};  // colours and what they mean
};

using ChartPanel = std::variant<LinePanel, HeatPanel, MapPanel, LinksPanel>;

struct Chart {
  std::string name = {};                    // of its files: "layers"
  std::string title = {};                   // one line
  std::string caption = {};                 // below: the definition and the sample, in sentences
  double width = 170;                       // mm, 40 to 400
  int columns = 3;                          // panels in a row
  std::vector<ChartPanel> panels = {};      // row by row
  std::vector<std::string> row_names = {};  // at the left of each row of panels; empty: none
};

// Throws Error if a chart cannot be drawn: no panels, lists whose lengths do not fit each other,
// maps that do not fill their grids, numbers out of range.
void CheckChart(const Chart& chart);

}  // namespace vggt
