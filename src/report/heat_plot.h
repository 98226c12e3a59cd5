// SPDX-License-Identifier: Apache-2.0
// Draws a matrix of cells with the names of its rows and columns and its colour bar.
#pragma once

#include "report/chart.h"
#include "report/chart_page.h"

namespace vggt {

class HeatPlot {
 public:
  // For a panel about `width` wide, names and bar included. Both outlive the plot.
  HeatPlot(const HeatPanel& panel, const Typesetter& type, double width);

  const PanelMargins& margins() const { return margins_; }
  double HeightFor(double plot_width) const;
  void Write(ChartPage& page, const Box& plot) const;

 private:
  void WriteCells(ChartPage& page, const Box& plot) const;
  std::vector<SetText> SetNumbers(int steps, double wide, double high) const;
  void WriteNumbers(ChartPage& page, const Box& plot) const;
  void WriteNames(ChartPage& page, const Box& plot) const;
  void WriteMarks(ChartPage& page, const Box& plot) const;
  void WriteEdges(ChartPage& page, const Box& plot) const;
  void WriteClasses(ChartPage& page, double x, double top) const;
  double ScaleWidth(double height) const;
  bool TurnsNames(double cell) const;

  const HeatPanel& panel_;
  const Typesetter& type_;
  PageBar bar_;
  bool gaps_ = false;     // some cells have no value
  double row_names_ = 0;  // how wide
  double col_names_ = 0;  // how high
  PanelMargins margins_;
};

// Every how many names of at most `widest` one fits, `cell` apart: 1, 2, 4, 5, 10, …
int64_t EveryName(double widest, double cell);

}  // namespace vggt
