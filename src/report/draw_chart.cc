// SPDX-License-Identifier: Apache-2.0
#include "report/draw_chart.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "report/chart_page.h"
#include "report/heat_plot.h"
#include "report/line_plot.h"
#include "report/picture_plot.h"

namespace vggt {
namespace {

constexpr double kEdge = PagePoints(2), kAcross = PagePoints(3.5), kDown = PagePoints(3.5);
constexpr double kPictureGap = PagePoints(1.2);  // between pictures, across and down
constexpr double kMostRowTitle = PagePoints(15), kMostLyingBar = PagePoints(65);
constexpr double kChartDpi = 300;

std::string TitleOf(const ChartPanel& panel) {
  return std::visit([](const auto& each) { return each.title; }, panel);
}

bool IsPicture(const ChartPanel& panel) {
  return std::holds_alternative<MapPanel>(panel) || std::holds_alternative<LinksPanel>(panel);
}

// One legend for all panels, if each label has one look in all of them.
std::optional<std::vector<LegendEntry>> CommonLegend(const Chart& chart) {
  std::vector<LegendEntry> common;
  for (const ChartPanel& panel : chart.panels) {
    const auto* lines = std::get_if<LinePanel>(&panel);
    if (lines == nullptr) continue;
    for (const LegendEntry& entry : LegendOf(*lines)) {
      const auto same = std::ranges::find(common, entry.label, &LegendEntry::label);
      if (same == common.end()) {
        common.push_back(entry);
      } else if (same->colour != entry.colour || same->dashed != entry.dashed) {
        return std::nullopt;
      } else {
        same->band |= entry.band;
        same->points |= entry.points;
      }
    }
  }
  return common;
}

// Whether all matrices have as many rows and columns.
bool MatricesAreAlike(const Chart& chart) {
  const HeatPanel* first = nullptr;
  for (const ChartPanel& panel : chart.panels) {
    const auto* matrix = std::get_if<HeatPanel>(&panel);
    if (matrix == nullptr) continue;
    if (first == nullptr) first = matrix;
    if (matrix->rows != first->rows || matrix->cols != first->cols) return false;
  }
  return true;
}

class ChartLayout {
 public:
  ChartLayout(const Chart& chart, const Typesetter& type)
      : chart_(chart), type_(type), page_(type), width_(PagePoints(chart.width)) {}

  // Returns the page's height.
  double Write();
  const ChartPage& page() const { return page_; }
  double width() const { return width_; }

 private:
  // Of one panel: what draws it, and the room around its plot.
  struct Plot {
    std::optional<LinePlot> lines;
    std::optional<HeatPlot> heat;
    PanelMargins margins;
  };

  void MakePlots(double panel_width);
  double Rows(double x, double top, double width);
  double Row(size_t first, size_t last, double x, double top, double width);
  double ContentHeight(size_t i, double width) const;
  double Legend(size_t i, double x, double top, double width);
  void Panel(size_t i, const Box& box);
  std::vector<PageBar> BarsOf(size_t first, size_t last) const;
  double Bars(const std::vector<PageBar>& bars, double x, double top, double width);
  double RowNameWidth() const;

  const Chart& chart_;
  const Typesetter& type_;
  ChartPage page_;
  const double width_;
  size_t columns_ = 1;
  std::vector<Plot> plots_;
  bool legend_in_panels_ = false;
};

// Plots of lines are all of one size, and those one above the other have their edges on one line.
void ChartLayout::MakePlots(double panel_width) {
  plots_.resize(chart_.panels.size());
  PanelMargins lines;
  std::vector<PanelMargins> heats(columns_);  // or all in the first, if they are of one size
  const auto place = [&](size_t i) { return MatricesAreAlike(chart_) ? 0 : i % columns_; };
  const auto widen = [](PanelMargins& to, const PanelMargins& by) {
    to.left = std::max(to.left, by.left);
    to.right = std::max(to.right, by.right);
  };
  for (size_t i = 0; i < plots_.size(); ++i) {
    Plot& plot = plots_[i];
    if (const auto* panel = std::get_if<LinePanel>(&chart_.panels[i])) {
      plot.lines.emplace(*panel, type_, panel_width);
      plot.margins = plot.lines->margins();
      widen(lines, plot.margins);
    } else if (const auto* matrix = std::get_if<HeatPanel>(&chart_.panels[i])) {
      plot.heat.emplace(*matrix, type_, panel_width);
      plot.margins = plot.heat->margins();
      widen(heats[place(i)], plot.margins);
    }
  }
  for (size_t i = 0; i < plots_.size(); ++i) {
    if (plots_[i].lines) widen(plots_[i].margins, lines);
    if (plots_[i].heat) widen(plots_[i].margins, heats[place(i)]);
  }
}

double ChartLayout::ContentHeight(size_t i, double width) const {
  const Plot& plot = plots_[i];
  const PanelMargins& margins = plot.margins;
  const double inner = std::max(20.0, width - margins.left - margins.right);
  if (plot.lines) return margins.top + LinePlot::HeightFor(inner) + margins.bottom;
  if (plot.heat) return margins.top + plot.heat->HeightFor(inner) + margins.bottom;
  if (const auto* map = std::get_if<MapPanel>(&chart_.panels[i])) {
    return width * ShapeOf(map->picture);
  }
  return LinksHeight(std::get<LinksPanel>(chart_.panels[i]), type_, width);
}

void ChartLayout::Panel(size_t i, const Box& box) {
  const Plot& plot = plots_[i];
  const PanelMargins& margins = plot.margins;
  const double inner = std::max(20.0, box.width - margins.left - margins.right);
  if (plot.lines || plot.heat) {
    const double height = plot.lines ? LinePlot::HeightFor(inner) : plot.heat->HeightFor(inner);
    const Box at = {box.x + margins.left, box.y + margins.top, inner, height};
    plot.lines ? plot.lines->Write(page_, at) : plot.heat->Write(page_, at);
  } else if (const auto* map = std::get_if<MapPanel>(&chart_.panels[i])) {
    WriteMapPlot(page_, *map, box);
  } else {
    WriteLinksPlot(page_, std::get<LinksPanel>(chart_.panels[i]), box);
  }
}

double ChartLayout::Legend(size_t i, double x, double top, double width) {
  const auto* lines = std::get_if<LinePanel>(&chart_.panels[i]);
  if (!legend_in_panels_ || lines == nullptr) return 0;
  const double height = WriteLegend(page_, LegendOf(*lines), x, top, width);
  return height > 0 ? height + 2 : 0;
}

double ChartLayout::RowNameWidth() const {
  double widest = 0;
  for (const std::string& name : chart_.row_names) {
    widest = std::max(widest, type_.Width(name, kAxisLabel));
  }
  return std::min(widest, kMostRowTitle);
}

// Panels [first, last) side by side, titles and legends on one line each.
double ChartLayout::Row(size_t first, size_t last, double x, double top, double width) {
  const double gap = IsPicture(chart_.panels[first]) ? kPictureGap : kAcross;
  const auto columns = static_cast<double>(columns_);
  const double each = (width - (columns - 1) * gap) / columns;
  const auto left = [&](size_t i) { return x + static_cast<double>(i - first) * (each + gap); };
  double title = 0;
  for (size_t i = first; i < last; ++i) {
    const SetText text = type_.Paragraph(TitleOf(chart_.panels[i]), kPanelTitle, each);
    page_.Text(text, left(i), top);
    title = std::max(title, text.empty() ? 0 : text.height() + 1.5);
  }
  double legend = 0;
  for (size_t i = first; i < last; ++i) {
    legend = std::max(legend, Legend(i, left(i), top + title, each));
  }
  double content = 0;
  for (size_t i = first; i < last; ++i) content = std::max(content, ContentHeight(i, each));
  for (size_t i = first; i < last; ++i) {
    const double own = IsPicture(chart_.panels[i]) ? content : ContentHeight(i, each);
    Panel(i, {left(i), top + title + legend, each, own});
  }
  if (!chart_.row_names.empty()) {
    const SetText name =
        type_.Paragraph(chart_.row_names[first / columns_], kAxisLabel, kMostRowTitle);
    page_.Text(name, kEdge, top + title + legend + (content - name.height()) / 2);
  }
  return title + legend + content;
}

std::vector<PageBar> ChartLayout::BarsOf(size_t first, size_t last) const {
  std::vector<PageBar> bars;
  for (size_t i = first; i < last; ++i) {
    const auto* map = std::get_if<MapPanel>(&chart_.panels[i]);
    const auto bar = map == nullptr ? std::nullopt : BarOf(*map);
    if (!bar) continue;
    if (std::ranges::none_of(bars, [&](const PageBar& each) { return SameBar(each, *bar); })) {
      bars.push_back(*bar);
    }
  }
  return bars;
}

double ChartLayout::Bars(const std::vector<PageBar>& bars, double x, double top, double width) {
  if (bars.empty()) return 0;
  const auto count = static_cast<double>(bars.size());
  const double each = std::min(kMostLyingBar, (width - (count - 1) * kAcross) / count);
  double height = 0;
  for (size_t i = 0; i < bars.size(); ++i) {
    height = std::max(height,
                      WriteLyingBar(page_, bars[i], x + static_cast<double>(i) * (each + kAcross),
                                    top + kPictureGap, each));
  }
  return kPictureGap + height;
}

double ChartLayout::Rows(double x, double top, double width) {
  const size_t count = chart_.panels.size();
  double y = top;
  for (size_t first = 0; first < count; first += columns_) {
    const size_t last = std::min(count, first + columns_);
    if (first > 0) {
      const bool pictures = IsPicture(chart_.panels[first]) && IsPicture(chart_.panels[first - 1]);
      y += pictures ? kPictureGap : kDown;
    }
    y += Row(first, last, x, y, width);
    // A bar that the next row has, too, stands below that.
    const std::vector<PageBar> bars = BarsOf(first, last);
    const std::vector<PageBar> next = BarsOf(last, std::min(count, last + columns_));
    if (!std::ranges::equal(bars, next, SameBar)) {
      const double height = Bars(bars, x, y, width);
      y += height + (height > 0 && last < count ? kPictureGap : 0);
    }
  }
  return y - top;
}

double ChartLayout::Write() {
  columns_ = std::min(static_cast<size_t>(chart_.columns), chart_.panels.size());
  const double inner = width_ - 2 * kEdge;
  double y = kEdge;
  const SetText title = type_.Paragraph(chart_.title, kPageTitle, inner);
  page_.Text(title, kEdge, y);
  y += title.empty() ? 0 : title.height() + PagePoints(1.2);
  const auto legend = CommonLegend(chart_);
  legend_in_panels_ = !legend;
  if (legend && !legend->empty()) {
    y += WriteLegend(page_, *legend, kEdge, y, inner) + PagePoints(1.2);
  }
  const double names = chart_.row_names.empty() ? 0 : RowNameWidth() + PagePoints(1.5);
  const auto columns = static_cast<double>(columns_);
  MakePlots((inner - names - (columns - 1) * kAcross) / columns);
  y += Rows(kEdge + names, y, inner - names);
  const SetText caption = type_.Paragraph(chart_.caption, kPageNote, inner);
  if (!caption.empty()) {
    y += PagePoints(1.8);
    page_.Text(caption, kEdge, y);
    y += caption.height();
  }
  return y + kEdge;
}

}  // namespace

std::vector<uint8_t> DrawChart(const Chart& chart, FigureFormat format, const std::string& creator,
                               const std::string& recipe) {
  CheckChart(chart);
  const Typesetter type;
  ChartLayout layout(chart, type);
  const double height = layout.Write();
  const CanvasKind kind = CanvasKindOf(format);
  Canvas canvas(kind, layout.width(), height, kChartDpi, {chart.title, creator, recipe});
  const PageTools tools{canvas, kind, kChartDpi};
  for (const auto& draw : layout.page().draws()) draw(tools);
  return canvas.Finish();
}

}  // namespace vggt
