// SPDX-License-Identifier: Apache-2.0
#include "report/heat_plot.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "render/map_cells.h"

namespace vggt {
namespace {

constexpr double kMostRowName = PagePoints(24), kMostColName = PagePoints(18);
constexpr double kNameGap = 2, kBarGap = 4;
constexpr double kLineHigh = 7;  // of a name, from one to the next
constexpr double kSwatch = 6;
constexpr double kLargestCell = PagePoints(14);  // high: few cells need no whole page

ColourRange RangeOf(const HeatPanel& panel) {
  if (!panel.classes.empty()) return {0, static_cast<double>(panel.classes.size() - 1)};
  if (panel.range) return *panel.range;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (const float value : panel.values) {
    if (!std::isfinite(value)) continue;
    least = std::min<double>(least, value);
    largest = std::max<double>(largest, value);
  }
  if (!(least <= largest)) return {0, 1};
  return {least, largest};
}

std::optional<int64_t> WholeNumberIn(const std::string& name) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

bool AllNumbers(const std::vector<std::string>& names) {
  return std::ranges::all_of(names,
                             [](const auto& name) { return WholeNumberIn(name).has_value(); });
}

// Which names are written if every `every`-th has room: round ones if they are numbers.
std::vector<size_t> WrittenNames(const std::vector<std::string>& names, int64_t every) {
  const bool numbers = every > 1 && AllNumbers(names);
  std::vector<size_t> written;
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t number = numbers ? *WholeNumberIn(names[i]) : static_cast<int64_t>(i);
    if (number % every == 0) written.push_back(i);
  }
  return written;
}

double Widest(const Typesetter& type, const std::vector<std::string>& names, double most) {
  double widest = 0;
  for (const std::string& name : names) widest = std::max(widest, type.Width(name, kTickLabel));
  return std::min(widest, most);
}

bool IsDark(const Rgb& colour) {
  return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 140;
}

}  // namespace

int64_t EveryName(double widest, double cell) {
  for (int64_t power = 1; power < 1'000'000; power *= 10) {
    for (const int64_t factor : {1, 2, 4, 5}) {
      if (factor * power * cell >= widest) return factor * power;
    }
  }
  return 1'000'000;
}

bool HeatPlot::TurnsNames(double cell) const {
  return !AllNumbers(panel_.col_names) && Widest(type_, panel_.col_names, kMostColName) + 3 > cell;
}

HeatPlot::HeatPlot(const HeatPanel& panel, const Typesetter& type, double width)
    : panel_(panel), type_(type) {
  bar_ = {panel.colormap, RangeOf(panel), 1, false, panel.unit};
  gaps_ = std::ranges::any_of(panel.values, [](float value) { return !std::isfinite(value); });
  row_names_ = Widest(type, panel.row_names, kMostRowName);
  const SetText up = type.Line(panel.y_label, kAxisLabel);
  margins_.left =
      (row_names_ > 0 ? row_names_ + kNameGap : 0) + (up.empty() ? 0 : up.height() + kNameGap);
  margins_.top = 2;
  // The bar is as high as the plot, which is not known yet; its numbers are about the same.
  const double guess = HeightFor(std::max(20.0, width - margins_.left - 30));
  margins_.right = kBarGap + ScaleWidth(guess);
  const double cell =
      std::max(1.0, width - margins_.left - margins_.right) / static_cast<double>(panel.cols);
  if (panel.col_names.empty()) {
    col_names_ = 0;
  } else if (TurnsNames(cell)) {
    col_names_ = Widest(type, panel.col_names, kMostColName);
  } else {
    col_names_ = type.Line("0", kTickLabel).height();
  }
  margins_.bottom =
      (col_names_ > 0 ? kNameGap + col_names_ : 0) + type.Line(panel.x_label, kAxisLabel).height();
}

double HeatPlot::ScaleWidth(double height) const {
  if (panel_.classes.empty()) {
    ChartPage scratch(type_);
    return UprightBarWidth(scratch, bar_, height);
  }
  return kSwatch + kNameGap + Widest(type_, panel_.classes, kMostRowName);
}

double HeatPlot::HeightFor(double plot_width) const {
  const double cell = std::min(plot_width / static_cast<double>(panel_.cols), kLargestCell);
  // Square cells where that is neither flat nor taller than a third of a page.
  const double least = std::min(PagePoints(5) * static_cast<double>(panel_.rows), plot_width * 0.5);
  const double most = std::min(plot_width * 1.35, PagePoints(95));
  return std::clamp(cell * static_cast<double>(panel_.rows), std::min(least, most), most);
}

void HeatPlot::WriteCells(ChartPage& page, const Box& plot) const {
  const HeatPanel& panel = panel_;
  page.Draw([=, &panel, bar = bar_, gaps = gaps_](const PageTools& tools) {
    const double wide = plot.width / static_cast<double>(panel.cols);
    const double high = plot.height / static_cast<double>(panel.rows);
    std::vector<float> values = panel.values;
    for (float& value : values) {
      if (!std::isfinite(value)) value = std::numeric_limits<float>::quiet_NaN();
    }
    if (gaps) {
      // Neighbours in a row are one box: fewer strokes.
      for (int64_t row = 0; row < panel.rows; ++row) {
        for (int64_t col = 0, end; col < panel.cols; col = end + 1) {
          const float* cells = values.data() + row * panel.cols;
          for (end = col; end < panel.cols && std::isnan(cells[end]);) ++end;
          if (end == col) continue;
          DrawHatched(tools.canvas, {plot.x + static_cast<double>(col) * wide,
                                     plot.y + static_cast<double>(row) * high,
                                     static_cast<double>(end - col) * wide, high});
        }
      }
    }
    CellColours colours;
    colours.colormap = bar.colormap;
    colours.range = bar.range;
    colours.opaque = true;
    // Programs that smooth what they enlarge leave a cell of several pixels sharp.
    int enlarged = 1;
    if (tools.kind != CanvasKind::kPng && panel.rows * panel.cols <= 1 << 16) {
      enlarged = std::clamp(static_cast<int>(wide / 72 * tools.dpi), 1, 8);
    }
    tools.canvas.DrawCells(CellsOf(values, panel.rows, panel.cols, colours, enlarged), plot, false);
    tools.canvas.StrokeBox(plot, {kPageQuiet, 0.4, {}});
  });
}

// All numbers with as many digits as tell one from another, if their range is cut in `steps`;
// nothing if one does not fit its cell.
std::vector<SetText> HeatPlot::SetNumbers(int steps, double wide, double high) const {
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  for (const float value : panel_.values) {
    if (!std::isfinite(value)) continue;
    least = std::min<double>(least, value);
    largest = std::max<double>(largest, value);
  }
  std::vector<SetText> texts;
  for (const float value : panel_.values) {
    const Rgb colour = ColourAt(bar_.colormap, PositionOf(value, bar_.range));
    const bool dark = std::isfinite(value) && IsDark(colour);
    const TextStyle style = {6, false, dark ? Rgb{255, 255, 255} : kPageInk};
    const std::string text = !std::isfinite(value) ? ""
                             : largest > least     ? NumberText(value, (largest - least) / steps)
                                                   : ShortNumber(value, 2);
    texts.push_back(type_.Line(text, style));
    if (texts.back().width() + 1.5 > wide || texts.back().height() > high + 1) return {};
  }
  return texts;
}

void HeatPlot::WriteNumbers(ChartPage& page, const Box& plot) const {
  if (!panel_.numbers) return;
  const double wide = plot.width / static_cast<double>(panel_.cols);
  const double high = plot.height / static_cast<double>(panel_.rows);
  std::vector<SetText> texts = SetNumbers(20, wide, high);
  if (texts.empty()) texts = SetNumbers(5, wide, high);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto cols = static_cast<size_t>(panel_.cols);
    const size_t row = i / cols, col = i % cols;
    const double x = plot.x + (static_cast<double>(col) + 0.5) * wide;
    const double y = plot.y + (static_cast<double>(row) + 0.5) * high;
    page.TextCentred(texts[i], x, y - texts[i].height() / 2);
  }
}

void HeatPlot::WriteNames(ChartPage& page, const Box& plot) const {
  const double wide = plot.width / static_cast<double>(panel_.cols);
  const double high = plot.height / static_cast<double>(panel_.rows);
  for (const size_t i : WrittenNames(panel_.row_names, EveryName(kLineHigh, high))) {
    const SetText text = type_.Line(panel_.row_names[i], kTickLabel, kMostRowName);
    page.Text(text, plot.x - kNameGap - text.width(),
              plot.y + (static_cast<double>(i) + 0.5) * high - text.height() / 2);
  }
  const bool turned = TurnsNames(wide);
  const double room = turned ? kLineHigh : Widest(type_, panel_.col_names, kMostColName) + 3;
  for (const size_t i : WrittenNames(panel_.col_names, EveryName(room, wide))) {
    const SetText text = type_.Line(panel_.col_names[i], kTickLabel, kMostColName);
    const double x = plot.x + (static_cast<double>(i) + 0.5) * wide;
    const double y = plot.bottom() + kNameGap;
    if (turned) {
      page.TextUpwards(text, x - text.height() / 2, y + text.width() / 2);
    } else {
      page.TextCentred(text, x, y);
    }
  }
  const SetText up = type_.Line(panel_.y_label, kAxisLabel, plot.height + 10);
  page.TextUpwards(up,
                   plot.x - (row_names_ > 0 ? row_names_ + kNameGap : 0) - kNameGap - up.height(),
                   plot.y + plot.height / 2);
  const SetText across = type_.Line(panel_.x_label, kAxisLabel, plot.width + margins_.left);
  page.TextCentred(across, plot.x + plot.width / 2,
                   plot.bottom() + (col_names_ > 0 ? kNameGap + col_names_ : 0));
}

void HeatPlot::WriteMarks(ChartPage& page, const Box& plot) const {
  const double wide = plot.width / static_cast<double>(panel_.cols);
  const double high = plot.height / static_cast<double>(panel_.rows);
  for (const auto& [row, col] : panel_.marked) {
    const Box box = {plot.x + static_cast<double>(col) * wide,
                     plot.y + static_cast<double>(row) * high, wide, high};
    page.Draw([=](const PageTools& tools) {
      tools.canvas.StrokeBox(box, {{255, 255, 255}, 1.8, {}});
      tools.canvas.StrokeBox(box, {SeriesColour(1), 1, {}});
    });
  }
}

void HeatPlot::WriteEdges(ChartPage& page, const Box& plot) const {
  // White under a dark line is seen on any colour.
  for (const Stroke& stroke : {Stroke{{255, 255, 255}, 1, {}}, Stroke{kPageInk, 0.4, {}}}) {
    for (const double row : panel_.row_edges) {
      const double y = plot.y + row / static_cast<double>(panel_.rows) * plot.height;
      page.Line(plot.x, y, plot.right(), y, stroke);
    }
    for (const double col : panel_.col_edges) {
      const double x = plot.x + col / static_cast<double>(panel_.cols) * plot.width;
      page.Line(x, plot.y, x, plot.bottom(), stroke);
    }
  }
}

void HeatPlot::WriteClasses(ChartPage& page, double x, double top) const {
  double y = top;
  for (size_t i = panel_.classes.size(); i-- > 0; y += kSwatch + 3) {  // the largest on top
    const Rgb colour = ColourAt(bar_.colormap, PositionOf(static_cast<double>(i), bar_.range));
    page.Draw([=, box = Box{x, y, kSwatch, kSwatch}](const PageTools& tools) {
      tools.canvas.FillBox(box, colour);
      tools.canvas.StrokeBox(box, {kPageQuiet, 0.4, {}});
    });
    const SetText name = type_.Line(panel_.classes[i], kTickLabel, kMostRowName);
    page.Text(name, x + kSwatch + kNameGap, y + (kSwatch - name.height()) / 2);
  }
}

void HeatPlot::Write(ChartPage& page, const Box& plot) const {
  WriteCells(page, plot);
  WriteEdges(page, plot);
  WriteNumbers(page, plot);
  WriteNames(page, plot);
  WriteMarks(page, plot);
  const double x = plot.right() + kBarGap;
  double height = plot.height;
  if (gaps_ && height > 4 * kSwatch) {
    height -= kSwatch + 6;
    const Box swatch = {x, plot.bottom() - kSwatch, kSwatch, kSwatch};
    page.Draw([=](const PageTools& tools) {
      DrawHatched(tools.canvas, swatch);
      tools.canvas.StrokeBox(swatch, {kPageQuiet, 0.4, {}});
    });
    const SetText none = type_.Line("none", kTickLabel);
    page.Text(none, swatch.right() + 2, swatch.y + (kSwatch - none.height()) / 2);
  }
  if (panel_.classes.empty()) {
    WriteUprightBar(page, bar_, x, plot.y, height);
  } else {
    WriteClasses(page, x, plot.y);
  }
}

}  // namespace vggt
