// SPDX-License-Identifier: Apache-2.0
// Draws lines and bands over axes.
#pragma once

#include <vector>

#include "report/chart.h"
#include "report/chart_page.h"

namespace vggt {

// The panel's entries for a legend, in the order of its series.
std::vector<LegendEntry> LegendOf(const LinePanel& panel);

class LinePlot {
 public:
  // For a panel about `width` wide, axes and all. Both outlive the plot.
  LinePlot(const LinePanel& panel, const Typesetter& type, double width);

  const PanelMargins& margins() const { return margins_; }
  static double HeightFor(double plot_width);
  void Write(ChartPage& page, const Box& plot) const;

 private:
  void WriteAxes(ChartPage& page, const Box& plot) const;
  void WriteSeries(ChartPage& page, const Box& plot, const ChartSeries& series) const;
  void WriteLevels(ChartPage& page, const Box& plot) const;
  std::vector<std::vector<Point>> LinesOf(const Box& plot, const ChartSeries& series) const;
  Point At(const Box& plot, double x, double y) const;

  const LinePanel& panel_;
  const Typesetter& type_;
  Axis x_, y_;
  PanelMargins margins_;
};

}  // namespace vggt
