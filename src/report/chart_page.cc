// SPDX-License-Identifier: Apache-2.0
#include "report/chart_page.h"

#include <algorithm>
#include <cmath>

namespace vggt {
namespace {

constexpr double kBarThickness = PagePoints(2.2), kBarTick = PagePoints(0.8);

std::vector<Rgb> BarColours(const PageBar& bar) {
  constexpr int kSteps = 64;
  std::vector<Rgb> colours;
  for (int i = 0; i <= kSteps; ++i) {
    const double at = static_cast<double>(i) / kSteps, side = 2 * at - 1;
    const double place = bar.diverging
                             ? (1 + std::copysign(std::pow(std::abs(side), bar.gamma), side)) / 2
                             : std::pow(at, bar.gamma);
    colours.push_back(ColourAt(bar.colormap, place));
  }
  return colours;
}

Axis BarAxis(const PageBar& bar, int most) {
  return MakeAxis(ValueAt(0, bar.range), ValueAt(1, bar.range), bar.range.log, most);
}

int UprightNumbers(double height) { return std::clamp(static_cast<int>(height / 18), 2, 7); }

// What of an axis lies on the bar, whose ends an axis without extent moves apart.
double OnBar(const PageBar& bar, const Axis& axis, double value) {
  return bar.range.log || bar.range.high > bar.range.low ? PositionOf(value, bar.range)
                                                         : axis.PositionOf(value);
}

}  // namespace

Rgb SeriesColour(int place) {
  static constexpr Rgb kColours[] = {{0, 114, 178}, {213, 94, 0},    {0, 158, 115},
                                     {230, 159, 0}, {204, 121, 167}, {86, 180, 233},
                                     {60, 60, 60},  {240, 228, 66}};
  const int count = static_cast<int>(std::size(kColours));
  return kColours[((place % count) + count) % count];
}

void ChartPage::Text(const SetText& text, double x, double y) {
  if (text.empty()) return;
  Draw([=](const PageTools& tools) { tools.canvas.DrawText(text, x, y); });
}

void ChartPage::TextCentred(const SetText& text, double x, double y) {
  Text(text, x - text.width() / 2, y);
}

void ChartPage::TextUpwards(const SetText& text, double x, double y) {
  if (text.empty()) return;
  Draw(
      [=](const PageTools& tools) { tools.canvas.DrawTextUpwards(text, x, y + text.width() / 2); });
}

void ChartPage::Line(double from_x, double from_y, double to_x, double to_y, const Stroke& stroke) {
  Draw(
      [=](const PageTools& tools) { tools.canvas.StrokeLine(from_x, from_y, to_x, to_y, stroke); });
}

double WriteLegend(ChartPage& page, const std::vector<LegendEntry>& entries, double x, double top,
                   double width) {
  constexpr double kSample = 14, kGap = 3, kBetween = 10;
  double left = x, y = top, line = 0;
  for (const LegendEntry& entry : entries) {
    const SetText text = page.type().Line(entry.label, kAxisLabel, width - kSample - kGap);
    const double wide = kSample + kGap + text.width();
    if (left > x && left + wide > x + width) {
      left = x;
      y += line + 1;
    }
    line = std::max(line, text.height());
    const double middle = y + text.height() / 2;
    page.Draw([=](const PageTools& tools) {
      Canvas& canvas = tools.canvas;
      if (entry.band) canvas.FillBox({left, middle - 2.6, kSample, 5.2}, entry.colour, 0.25);
      canvas.StrokeLine(left, middle, left + kSample, middle,
                        {entry.colour, 1.1,
                         entry.dashed ? std::vector<double>{2.6, 1.6} : std::vector<double>{}});
      if (entry.points) canvas.FillCircle(left + kSample / 2, middle, 1.5, entry.colour);
    });
    page.Text(text, left + kSample + kGap, y);
    left += wide + kBetween;
  }
  return entries.empty() ? 0 : y + line - top;
}

bool SameBar(const PageBar& a, const PageBar& b) {
  return a.colormap == b.colormap && a.range.low == b.range.low && a.range.high == b.range.high &&
         a.range.log == b.range.log && a.gamma == b.gamma && a.diverging == b.diverging &&
         a.unit == b.unit;
}

double WriteLyingBar(ChartPage& page, const PageBar& bar, double x, double top, double width) {
  const Box box = {x, top, width, kBarThickness};
  page.Draw([=, colours = BarColours(bar)](const PageTools& tools) {
    tools.canvas.FillGradient(box, colours);
    tools.canvas.StrokeBox(box, {kPageQuiet, 0.4, {}});
  });
  const double below = box.bottom() + kBarTick;
  const Axis axis = BarAxis(bar, std::max(2, static_cast<int>(width / 32)));
  double height = kBarThickness + kBarTick;
  for (const AxisTick& tick : axis.ticks) {
    const double place = OnBar(bar, axis, tick.value);
    const double at = x + place * width;
    page.Line(at, box.bottom(), at, tick.text.empty() ? below - 1 : below, {kPageQuiet, 0.4, {}});
    const SetText text = page.type().Line(tick.text, kTickLabel);
    page.TextCentred(text, std::clamp(at, x + text.width() / 2, x + width - text.width() / 2),
                     below);
    height = std::max(height, below + text.height() - top);
  }
  const SetText unit = page.type().Paragraph(bar.unit, kPageNote, width);
  page.Text(unit, x, top + height);
  return height + unit.height();
}

double UprightBarWidth(const ChartPage& page, const PageBar& bar, double height) {
  double widest = 0;
  for (const AxisTick& tick : BarAxis(bar, UprightNumbers(height)).ticks) {
    widest = std::max(widest, page.type().Width(tick.text, kTickLabel));
  }
  const SetText unit = page.type().Paragraph(bar.unit, kAxisLabel, std::max(height, 1.0));
  return kBarThickness + kBarTick + 1.5 + widest + (unit.empty() ? 0 : 2 + unit.height());
}

void WriteUprightBar(ChartPage& page, const PageBar& bar, double x, double top, double height) {
  const Box box = {x, top, kBarThickness, height};
  page.Draw([=, colours = BarColours(bar)](const PageTools& tools) {
    tools.canvas.FillGradient(box, colours, true);
    tools.canvas.StrokeBox(box, {kPageQuiet, 0.4, {}});
  });
  const Axis axis = BarAxis(bar, UprightNumbers(height));
  double widest = 0;
  for (const AxisTick& tick : axis.ticks) {
    const double at = box.bottom() - OnBar(bar, axis, tick.value) * height;
    page.Line(box.right(), at, box.right() + kBarTick - (tick.text.empty() ? 1 : 0), at,
              {kPageQuiet, 0.4, {}});
    const SetText text = page.type().Line(tick.text, kTickLabel);
    const double y = std::clamp(at - text.height() / 2, top - 2,
                                std::max(top - 2, box.bottom() + 2 - text.height()));
    page.Text(text, box.right() + kBarTick + 1.5, y);
    widest = std::max(widest, text.width());
  }
  page.TextUpwards(page.type().Paragraph(bar.unit, kAxisLabel, std::max(height, 1.0)),
                   box.right() + kBarTick + 1.5 + widest + 2, top + height / 2);
}

void DrawHatched(Canvas& canvas, const Box& box) {
  constexpr double kApart = 2.6;
  canvas.FillBox(box, kPageEmpty);
  canvas.PushClip(box);
  // The strokes of neighbouring boxes meet: x + y is a multiple of kApart on each.
  for (double sum = std::ceil((box.x + box.y) / kApart) * kApart; sum < box.right() + box.bottom();
       sum += kApart) {
    canvas.StrokeLine(sum - box.y, box.y, sum - box.bottom(), box.bottom(),
                      {{178, 183, 191}, 0.35, {}});
  }
  canvas.PopClip();
}

}  // namespace vggt
