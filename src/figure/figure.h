// SPDX-License-Identifier: Apache-2.0
// A figure before it is drawn: which pictures, which maps with which colours, and every word. What
// is in it was chosen and computed by others; figure/draw_figure.h decides where things stand.
//
// All texts are UTF-8. An empty text takes no room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "render/colormap.h"

namespace vggt {

// The cells of the maps on one frame: a cell is `stride` patches wide and high, the last ones cut
// off by the frame's edge.
struct FigureGrid {
  int64_t rows = 0, cols = 0;                // cells
  int64_t patch_rows = 0, patch_cols = 0;    // patches of the frame
  int64_t stride_rows = 1, stride_cols = 1;  // patches of a cell
};

// A picture that the model has seen, and where its patches lie on it.
struct FigureFrame {
  std::filesystem::path picture;  // the stored file; empty: a grey area takes its place
  // Without it the maps are stretched over the whole picture.
  std::optional<FrameTransform> transform;
  // Of the stored picture, in pixels, where there is no transform. 0: as the file says; and if
  // there is no file, the shape of the patches.
  int64_t width = 0, height = 0;
  FigureGrid grid;
};

struct FigurePatch {
  int64_t row = 0, col = 0;  // a cell of the maps
};

// A map of one picture.
struct FigureMap {
  std::vector<float> values;  // [rows, cols] of the frame's grid; NaN is not drawn
  ColourRange range;          // the values that the first and the last colour stand for
  size_t bar = 0;             // of `Figure::bars`: whose colours it is drawn in
};

struct FigureCell {
  std::string label;        // left, below; its middle is cut out if there is no room for all
  std::string short_label;  // tried before that is done
  std::string note;         // right, below: a share
  size_t frame = 0;         // of `Figure::frames`
  bool picture = true;      // whether the picture is drawn under the map
  bool seen = true;         // else it is veiled: the query does not see it
  std::optional<FigureMap> map;
  std::optional<FigurePatch> match;  // gets a circle
};

// A list of cells that stand side by side in the view of frames, and one below the other elsewhere.
struct FigureColumn {
  std::string title, subtitle;  // "Head 3", "last colour 0.00146"
  std::vector<FigureCell> cells;
};

// The columns of one query, or of one export of two, or of their difference.
struct FigureGroup {
  std::string title;  // "1: patch (12, 18)"; "A: kitchen"; "A − B"
  std::vector<FigureColumn> columns;
  int query = 0;  // the number of the query that its maps answer: match lines start at its mark
};

// The query's place on a picture: cells from (row, col) to (last_row, last_col). A query may have
// several places.
struct FigureMark {
  int query = 1;  // counted from 1: its number, colour and dash
  int64_t row = 0, col = 0, last_row = 0, last_col = 0;
};

// A picture beside the maps: with the places of queries, or the target frame of a matrix.
struct FigurePanel {
  std::string label, short_label;  // "query, frame 0 · kitchen_00.jpg"
  size_t frame = 0;                // of `Figure::frames`
  std::vector<FigureMark> marks;
  bool target = false;  // gets a border
};

struct FigureTick {
  double at = 0;  // 0: the first colour, 1: the last
  std::string text;
};

// What colours mean.
struct FigureBar {
  std::string label;  // what the numbers are, what the scale reaches over, and the maximum
  std::vector<FigureTick> ticks;
  Colormap colormap = Colormap::kJet;
  // Both ends are strong and the middle is nothing, as of differences: opacity grows from the
  // middle to both ends, and gamma is applied from there, too.
  bool diverging = false;
};

struct FigureLooks {
  double gamma = 1;      // exponent of positions between the first colour and the last
  double opacity = 0.6;  // of the last colour, 0 to 1; the first is transparent
  bool smooth = false;   // values interpolated between the cells' middles
  bool alone = false;    // maps without pictures, all colours opaque
  bool lines = false;    // from a query to its best match in each cell
};

enum class FigureLayout {
  kFrames,  // a group's only column is a grid of pictures
  kColumns  // columns side by side, in bands if there are many
};

struct Figure {
  double width = 170;  // mm, 40 to 400
  int dpi = 300;       // of PNG, 72 to 600; the size of pictures in PDF and SVG is for 300

  std::string title, subtitle;
  std::vector<std::string> footer;  // a paragraph each

  std::vector<FigureFrame> frames;
  std::vector<FigurePanel> panels;
  std::vector<FigureGroup> groups;
  FigureLayout layout = FigureLayout::kFrames;
  // A name for each cell of a column, at the left. With them the cells stand close to each other,
  // in one grid if there is room.
  std::vector<std::string> row_labels;
  std::vector<FigureBar> bars;  // one to three: differences may have their own, and A and B each
  FigureLooks looks;

  std::string recipe;   // that makes the figure again; kept in the file, not drawn
  std::string creator;  // the program that wrote the file, "vggt-attn 0.1.0"
};

// Throws Error if a figure cannot be drawn: sizes out of range, a map whose values do not fill its
// grid, a frame or bar that does not exist, a cell without frame. Files are not looked at.
void CheckFigure(const Figure& figure);

}  // namespace vggt
