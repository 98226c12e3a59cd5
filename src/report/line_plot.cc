// SPDX-License-Identifier: Apache-2.0
#include "report/line_plot.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace vggt {
namespace {

constexpr double kTick = 2.2, kTickGap = 1.5, kLabelGap = 2;
constexpr double kLevelGap = 3, kMostLevelName = 32;  // wider names have several lines
constexpr double kBandOpacity = 0.25;

// The least and the largest of what can be shown.
struct Extent {
  double least = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  bool log = false;

  void Add(double value) {
    if (!std::isfinite(value) || (log && !(value > 0))) return;
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
};

bool AllWhole(const LinePanel& panel) {
  for (const ChartSeries& series : panel.series) {
    for (const double x : series.x) {
      if (x != std::floor(x)) return false;
    }
  }
  return true;
}

Axis AcrossAxis(const LinePanel& panel, double width) {
  Extent extent{.log = panel.log_x};
  for (const ChartSeries& series : panel.series) {
    for (const double x : series.x) extent.Add(x);
  }
  const bool whole = AllWhole(panel);
  // Whole numbers of two digits are layers or pictures, of which as few as fit are left out.
  const double room_of_number = whole && !panel.log_x && extent.largest < 100 ? 13 : 22;
  const int most = std::max(2, static_cast<int>(width / room_of_number));
  if (extent.least > extent.largest) return MakeAxis(0, 1, panel.log_x, most);
  if (panel.log_x) {
    const double room = std::pow(extent.largest / extent.least, 0.02);
    return MakeAxis(extent.least / room, extent.largest * room, true, most);
  }
  // A single x stands in the middle.
  const double room = extent.least == extent.largest ? 0.5 : 0.02 * (extent.largest - extent.least);
  return MakeAxis(extent.least - room, extent.largest + room, false, most, whole);
}

Axis UpAxis(const LinePanel& panel, double height) {
  Extent extent{.log = panel.log_y};
  for (const ChartSeries& series : panel.series) {
    for (const auto* values : {&series.y, &series.low, &series.high}) {
      for (const double value : *values) extent.Add(value);
    }
  }
  for (const auto& [value, name] : panel.levels) extent.Add(value);
  AxisEnds ends = EndsAround(extent.least, extent.largest, panel.log_y);
  if (panel.y_low) ends.low = *panel.y_low;
  if (panel.y_high) ends.high = *panel.y_high;
  return MakeAxis(ends.low, ends.high, panel.log_y, std::max(2, static_cast<int>(height / 14)));
}

}  // namespace

std::vector<LegendEntry> LegendOf(const LinePanel& panel) {
  std::vector<LegendEntry> entries;
  for (const ChartSeries& series : panel.series) {
    if (series.label.empty()) continue;
    entries.push_back({series.label, SeriesColour(series.colour), series.dashed,
                       !series.low.empty(), series.points});
  }
  return entries;
}

double LinePlot::HeightFor(double plot_width) {
  return std::clamp(plot_width * 0.7, PagePoints(22), PagePoints(55));
}

LinePlot::LinePlot(const LinePanel& panel, const Typesetter& type, double width)
    : panel_(panel),
      type_(type),
      x_(AcrossAxis(panel, width - 30)),
      y_(UpAxis(panel, HeightFor(width - 30))) {
  double widest = 0, tallest = 0;
  for (const AxisTick& tick : y_.ticks)
    widest = std::max(widest, type.Width(tick.text, kTickLabel));
  for (const AxisTick& tick : x_.ticks) {
    tallest = std::max(tallest, type.Line(tick.text, kTickLabel).height());
  }
  const double height = HeightFor(width - 30);
  const SetText up = type.Paragraph(panel.y_label, kAxisLabel, height + 8);
  const SetText across = type.Paragraph(panel.x_label, kAxisLabel, width - 20);
  margins_.left = (up.empty() ? 0 : up.height() + kLabelGap) + widest + kTick + kTickGap;
  margins_.bottom = kTick + kTickGap + tallest + (across.empty() ? 0 : across.height());
  margins_.top = 2;
  margins_.right = 4;
  for (const auto& [value, name] : panel.levels) {
    const SetText text = type.Paragraph(name, kPageNote, kMostLevelName);
    margins_.right = std::max(margins_.right, kLevelGap + text.width());
  }
}

Point LinePlot::At(const Box& plot, double x, double y) const {
  // Far outside is as good as further: what is drawn is clipped.
  const double across = std::clamp(x_.PositionOf(x), -10.0, 10.0);
  const double up = std::clamp(y_.PositionOf(y), -10.0, 10.0);
  return {plot.x + across * plot.width, plot.bottom() - up * plot.height};
}

void LinePlot::WriteAxes(ChartPage& page, const Box& plot) const {
  const Stroke axis = {kPageQuiet, 0.5, {}};
  double widest = 0;
  for (const AxisTick& tick : y_.ticks) {
    const double y = plot.bottom() - y_.PositionOf(tick.value) * plot.height;
    if (!tick.text.empty()) page.Line(plot.x, y, plot.right(), y, {kPageFaint, 0.4, {}});
    page.Line(plot.x - (tick.text.empty() ? kTick / 2 : kTick), y, plot.x, y, axis);
    const SetText text = type_.Line(tick.text, kTickLabel);
    page.Text(text, plot.x - kTick - kTickGap - text.width(), y - text.height() / 2);
    widest = std::max(widest, text.width());
  }
  double tallest = 0;
  for (const AxisTick& tick : x_.ticks) {
    const double x = plot.x + x_.PositionOf(tick.value) * plot.width;
    page.Line(x, plot.bottom(), x, plot.bottom() + (tick.text.empty() ? kTick / 2 : kTick), axis);
    const SetText text = type_.Line(tick.text, kTickLabel);
    page.TextCentred(text, x, plot.bottom() + kTick + kTickGap);
    tallest = std::max(tallest, text.height());
  }
  page.Line(plot.x, plot.y, plot.x, plot.bottom(), axis);
  page.Line(plot.x, plot.bottom(), plot.right(), plot.bottom(), axis);
  const SetText up = type_.Paragraph(panel_.y_label, kAxisLabel, plot.height + 8);
  page.TextUpwards(up, plot.x - kTick - kTickGap - widest - kLabelGap - up.height(),
                   plot.y + plot.height / 2);
  const SetText across = type_.Paragraph(panel_.x_label, kAxisLabel, plot.width + margins_.left);
  page.TextCentred(across, plot.x + plot.width / 2, plot.bottom() + kTick + kTickGap + tallest);
}

void LinePlot::WriteSeries(ChartPage& page, const Box& plot, const ChartSeries& series) const {
  const Rgb colour = SeriesColour(series.colour);
  // From one gap to the next.
  const std::vector<std::vector<Point>> lines = LinesOf(plot, series);
  const Stroke stroke = {colour, 1.1,
                         series.dashed ? std::vector<double>{2.6, 1.6} : std::vector<double>{}};
  page.Draw([=, points = series.points](const PageTools& tools) {
    tools.canvas.PushClip({plot.x - 2, plot.y - 2, plot.width + 4, plot.height + 4});
    for (const auto& line : lines) {
      tools.canvas.StrokePath(line, stroke);
      // A value between two gaps would not be seen.
      if (!points && line.size() != 1) continue;
      for (const Point& at : line) tools.canvas.FillCircle(at.x, at.y, 1.5, colour);
    }
    tools.canvas.PopClip();
  });
}

std::vector<std::vector<Point>> LinePlot::LinesOf(const Box& plot,
                                                  const ChartSeries& series) const {
  const auto shown = [&](double x, double y) {
    return std::isfinite(x) && std::isfinite(y) && (!x_.log || x > 0) && (!y_.log || y > 0);
  };
  std::vector<std::vector<Point>> lines(1);
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (shown(series.x[i], series.y[i])) {
      lines.back().push_back(At(plot, series.x[i], series.y[i]));
    } else if (!lines.back().empty()) {
      lines.emplace_back();
    }
  }
  return lines;
}

// Their names stand at the right of the plot, where no curve is; names of levels that are close
// together are moved apart.
void LinePlot::WriteLevels(ChartPage& page, const Box& plot) const {
  auto levels = panel_.levels;
  std::erase_if(levels, [&](const auto& level) {
    if (!std::isfinite(level.first) || (y_.log && !(level.first > 0))) return true;
    const double up = y_.PositionOf(level.first);
    return up < -0.001 || up > 1.001;
  });
  std::ranges::sort(levels, std::greater<>(), [](const auto& level) { return level.first; });
  double free_from = -std::numeric_limits<double>::infinity();
  for (const auto& [value, name] : levels) {
    const double y = plot.bottom() - y_.PositionOf(value) * plot.height;
    page.Line(plot.x, y, plot.right(), y, {kPageQuiet, 0.5, {1, 1.4}});
    const SetText text = type_.Paragraph(name, kPageNote, kMostLevelName);
    const double top = std::max(y - text.height() / 2, free_from);
    page.Text(text, plot.right() + kLevelGap, top);
    free_from = top + text.height();
  }
}

void LinePlot::Write(ChartPage& page, const Box& plot) const {
  WriteAxes(page, plot);
  for (const ChartSeries& series : panel_.series) {
    if (series.low.empty()) continue;
    std::vector<std::vector<Point>> bands(1);
    std::vector<Point> back;
    const auto close = [&] {
      bands.back().insert(bands.back().end(), back.rbegin(), back.rend());
      bands.emplace_back();
      back.clear();
    };
    for (size_t i = 0; i < series.x.size(); ++i) {
      const double x = series.x[i], low = series.low[i], high = series.high[i];
      const bool shown = std::isfinite(x) && std::isfinite(low) && std::isfinite(high) &&
                         (!x_.log || x > 0) && (!y_.log || high > 0);
      if (!shown) {
        close();
        continue;
      }
      bands.back().push_back(At(plot, x, high));
      back.push_back(At(plot, x, y_.log ? std::max(low, y_.low * 1e-3) : low));
    }
    close();
    page.Draw([=, colour = SeriesColour(series.colour)](const PageTools& tools) {
      tools.canvas.PushClip(plot);
      for (const auto& band : bands) tools.canvas.FillPolygon(band, colour, kBandOpacity);
      tools.canvas.PopClip();
    });
  }
  for (const ChartSeries& series : panel_.series) WriteSeries(page, plot, series);
  WriteLevels(page, plot);
}

}  // namespace vggt
