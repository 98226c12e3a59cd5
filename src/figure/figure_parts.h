// SPDX-License-Identifier: Apache-2.0
// The parts of a figure's page: cells of maps, panels, colour bars, titles. Each is written down
// where it is to stand, to be drawn when the page's height is known. Lengths are points (1/72 inch)
// from the page's upper left corner.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "figure/figure.h"
#include "figure/frame_geometry.h"
#include "render/canvas.h"
#include "render/typeset.h"

namespace vggt {

// What is at hand while a sheet is drawn.
struct DrawingTools {
  Canvas& canvas;
  CanvasKind kind;
  double dpi;  // of PNG; of the pictures in other files
  // Of each frame whose picture is drawn.
  const std::vector<CanvasPicture>& pictures;
};

using Draws = std::vector<std::function<void(const DrawingTools&)>>;

struct Sheet {
  double width = 0, height = 0;
  Draws draws;  // in this order
  // The widest that the picture of each frame is drawn; 0 if it is not.
  std::vector<double> picture_widths;
};

constexpr double Mm(double mm) { return mm * 72 / 25.4; }

inline constexpr Rgb kInk = {22, 24, 29}, kQuiet = {93, 100, 112}, kFaint = {200, 203, 209};

// The place of a query is told from those of others by its colour and its dash: number from 1.
Stroke QueryStroke(int query, double width);

class FigureParts {
 public:
  // `geometries`: of the figure's frames. All three outlive the parts and the sheet.
  FigureParts(const Figure& figure, const std::vector<FrameGeometry>& geometries,
              const Typesetter& typesetter);

  const Typesetter& type() const { return type_; }

  // Writes down what is drawn after all that was before.
  void Draw(std::function<void(const DrawingTools&)> draw) {
    sheet_.draws.push_back(std::move(draw));
  }
  // `y`: the top of the text.
  void Text(const SetText& text, double x, double y);

  // Each returns the height of what it wrote, from `top` on.

  // A colour bar with ticks and label.
  double Bar(const FigureBar& bar, double x, double top, double width);
  // A picture with the places of queries. It is written before the cells, whose match lines start
  // there.
  double Panel(const FigurePanel& panel, double x, double top, double width);
  double GroupTitle(const FigureGroup& group, double x, double top, double width);
  double ColumnTitle(const FigureColumn& column, double x, double top, double width);
  // A picture with its map, label and note. `box`: of the picture. `note_below`: the note stands
  // below the label.
  double Cell(const FigureCell& cell, int query, const Box& box, bool note_below);
  // Without label and note.
  void BareCell(const FigureCell& cell, int query, const Box& box);

  // The height of a box of this width that holds the pictures of cells (null: none).
  double BoxHeight(const std::vector<const FigureCell*>& cells, double width) const;
  // Whether the note has to stand below the label, because there is no room beside it even for a
  // short one.
  bool NoteStandsBelow(const FigureCell& cell, double width) const;

  double page_width() const { return sheet_.width; }
  // All that was written. The marks of queries come last, so that no match line covers them.
  Sheet Finish(double height);

 private:
  // Where a query's first mark is, and the picture around it.
  struct Start {
    int query;
    Point at;
    Box within;
  };

  static void Outline(const Box& box, const Stroke& stroke, Draws& draws);
  void Frame(size_t frame, const FigureMap* map, bool with_picture, const Box& place);
  void Map(size_t frame, const FigureMap& map, const Box& place);
  void Mark(const FigureMark& mark, const FrameGeometry& geometry, const Box& place);
  void MatchLine(const Box& place, Point match, int query);
  Box Place(const FigureCell& cell, const Box& box) const;
  double Caption(const FigureCell& cell, const Box& place, bool note_below);
  double LabelRoom(const FigureCell& cell, double width) const;
  SetText Shortened(const std::string& label, const std::string& short_label,
                    const TextStyle& style, double width) const;

  const Figure& figure_;
  const std::vector<FrameGeometry>& geometries_;
  const Typesetter& type_;
  Sheet sheet_;
  Draws marks_;
  int most_query_ = 0;
  std::vector<Start> starts_;
};

}  // namespace vggt
