// SPDX-License-Identifier: Apache-2.0
// A page to draw on that becomes a PNG, SVG or PDF file. Lengths are points (1/72 inch) from the
// upper left corner; x grows to the right, y downwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"
#include "render/colormap.h"
#include "render/typeset.h"

namespace vggt {

enum class CanvasKind { kPng, kSvg, kPdf };

struct Box {
  double x = 0, y = 0, width = 0, height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

struct Stroke {
  Rgb colour = {0, 0, 0};
  double width = 1;
  // Lengths of strokes and of gaps by turns, in points; empty: unbroken.
  std::vector<double> dash = {};
};

// A photograph. If it is drawn several times, an SVG or PDF holds it once.
struct CanvasPicture {
  std::shared_ptr<const Picture> pixels;
  // The same picture, of the same size, as a JPEG file, which SVG and PDF hold in place of the
  // pixels; may be null.
  std::shared_ptr<const std::vector<uint8_t>> jpeg;
};

// Pixels with opacity: RGBA, not premultiplied.
struct CanvasCells {
  int width = 0, height = 0;
  std::vector<uint8_t> rgba;  // [height, width, 4]
};

// What a file says about itself, in UTF-8. Empty texts are left out.
struct CanvasNotes {
  std::string title, creator, recipe;
};

class Canvas {
 public:
  // A white page. `dpi`: of PNG. Throws Error if the page would be too large for its kind of file:
  // a PNG of more than kMostCanvasPixels; a PDF or SVG that would be one at 300 dpi, or with a side
  // above 14400 points.
  Canvas(CanvasKind kind, double width, double height, double dpi, CanvasNotes notes);
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  ~Canvas();

  // `opacity`: 0 to 1
  void FillBox(const Box& box, const Rgb& colour, double opacity = 1);
  void FillRounded(const Box& box, double radius, const Rgb& colour, double opacity = 1);
  void StrokeBox(const Box& box, const Stroke& stroke);
  void StrokeLine(double from_x, double from_y, double to_x, double to_y, const Stroke& stroke);
  void StrokeCircle(double x, double y, double radius, const Stroke& stroke);
  // From point to point, with round joins and ends. Fewer than two points are no line.
  void StrokePath(const std::vector<Point>& points, const Stroke& stroke);
  // Closed; what its edge encloses once is filled, at one opacity. Fewer than three points enclose
  // nothing.
  void FillPolygon(const std::vector<Point>& points, const Rgb& colour, double opacity = 1);
  void FillCircle(double x, double y, double radius, const Rgb& colour, double opacity = 1);
  // From left to right, or `upwards`; the first colour at the one edge, the last at the other, the
  // rest evenly between.
  void FillGradient(const Box& box, const std::vector<Rgb>& colours, bool upwards = false);
  // `x`: the left edge of the text; `y`: the top of its first line.
  void DrawText(const SetText& text, double x, double y);
  // The same, turned to be read from below to above: `x` is the top of its first line, which lies
  // at the left; `y`: the lower end of the text, where it begins.
  void DrawTextUpwards(const SetText& text, double x, double y);
  void DrawPicture(const CanvasPicture& picture, const Box& box);
  // Cells stay sharp however much they are enlarged; or `smooth`: neighbours blend.
  void DrawCells(const CanvasCells& cells, const Box& box, bool smooth);

  // What is drawn until the matching PopClip() is cut off outside `box`.
  void PushClip(const Box& box);
  void PopClip();

  // The file. Nothing can be drawn after that. The same drawing gives the same bytes.
  std::vector<uint8_t> Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr int64_t kMostCanvasPixels = 150'000'000;

}  // namespace vggt
