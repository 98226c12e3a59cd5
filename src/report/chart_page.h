// SPDX-License-Identifier: Apache-2.0
// The page of a chart while it is laid out: what will be drawn, in which order, and the looks that
// all panels share. Lengths are points (1/72 inch) from the page's upper left corner.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "render/canvas.h"
#include "render/typeset.h"
#include "report/chart.h"
#include "report/chart_axis.h"

namespace vggt {

struct PageTools {
  Canvas& canvas;
  CanvasKind kind;
  double dpi;  // of PNG; of what is made of pixels in other files
};

constexpr double PagePoints(double mm) { return mm * 72 / 25.4; }

inline constexpr Rgb kPageInk = {22, 24, 29}, kPageQuiet = {93, 100, 112};
inline constexpr Rgb kPageFaint = {222, 225, 230}, kPageEmpty = {236, 238, 241};
inline constexpr TextStyle kPageTitle = {9, true, kPageInk}, kPanelTitle = {7, true, kPageInk};
inline constexpr TextStyle kAxisLabel = {6.5, false, kPageInk}, kTickLabel = {6, false, kPageQuiet};
inline constexpr TextStyle kPageNote = {6, false, kPageQuiet};

// One of eight colours that colour-blind people tell apart (Okabe and Ito, 2008); others begin
// anew.
Rgb SeriesColour(int place);

class ChartPage {
 public:
  explicit ChartPage(const Typesetter& type) : type_(type) {}

  const Typesetter& type() const { return type_; }
  // Writes down what is drawn after all that was before.
  void Draw(std::function<void(const PageTools&)> draw) { draws_.push_back(std::move(draw)); }
  // `x`, `y`: the upper left corner.
  void Text(const SetText& text, double x, double y);
  // Around a middle.
  void TextCentred(const SetText& text, double x, double y);
  // Read from below to above, around the middle `y`.
  void TextUpwards(const SetText& text, double x, double y);
  void Line(double from_x, double from_y, double to_x, double to_y, const Stroke& stroke);

  const std::vector<std::function<void(const PageTools&)>>& draws() const { return draws_; }

 private:
  const Typesetter& type_;
  std::vector<std::function<void(const PageTools&)>> draws_;
};

// The room that a panel's axes, names and colour bar take around its plot.
struct PanelMargins {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// A legend in lines no wider than `width`. Each returns the height.
struct LegendEntry {
  std::string label;
  Rgb colour;
  bool dashed = false, band = false, points = false;

  bool operator==(const LegendEntry&) const = default;
};
double WriteLegend(ChartPage& page, const std::vector<LegendEntry>& entries, double x, double top,
                   double width);

// A colour bar with numbers: lying, with its unit below; or upright, with numbers at the right.
struct PageBar {
  Colormap colormap = Colormap::kViridis;
  ColourRange range;
  double gamma = 1;
  bool diverging = false;
  std::string unit;
};
bool SameBar(const PageBar& a, const PageBar& b);
double WriteLyingBar(ChartPage& page, const PageBar& bar, double x, double top, double width);
// How wide an upright bar is with its numbers and unit, `height` high.
double UprightBarWidth(const ChartPage& page, const PageBar& bar, double height);
void WriteUprightBar(ChartPage& page, const PageBar& bar, double x, double top, double height);

// A box of grey with strokes across it: there is no value here.
void DrawHatched(Canvas& canvas, const Box& box);

}  // namespace vggt
