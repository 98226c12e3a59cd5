// SPDX-License-Identifier: Apache-2.0
#include "report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace vggt {
namespace {

constexpr int64_t kMostCells = 1 << 24;
constexpr int kMostColumns = 50;

void Require(bool holds, const std::string& problem) {
  if (!holds) throw Error("a chart cannot be drawn: " + problem);
}

void CheckPicture(const ChartPicture& picture) {
  Require(picture.grid.height > 0 && picture.grid.width > 0, "a picture has no grid of patches");
}

void CheckPanel(const LinePanel& panel) {
  for (const ChartSeries& series : panel.series) {
    const size_t count = series.x.size();
    Require(series.y.size() == count, "a line has not as many y as x");
    Require(series.low.size() == series.high.size() &&
                (series.low.empty() || series.low.size() == count),
            "a band has not as many values as its line");
  }
}

void CheckPanel(const HeatPanel& panel) {
  Require(panel.rows > 0 && panel.cols > 0 && panel.rows <= kMostCells / panel.cols,
          fmt::format("a matrix of {} × {} cells", panel.rows, panel.cols));
  const auto fits = [](size_t count, int64_t extent) {
    return count == static_cast<size_t>(extent);
  };
  Require(fits(panel.values.size(), panel.rows * panel.cols), "values do not fill their matrix");
  Require(panel.row_names.empty() || fits(panel.row_names.size(), panel.rows),
          "a matrix has not as many names as rows");
  Require(panel.col_names.empty() || fits(panel.col_names.size(), panel.cols),
          "a matrix has not as many names as columns");
  if (!panel.classes.empty()) {
    const auto last = static_cast<float>(panel.classes.size() - 1);
    Require(panel.classes.size() > 1, "a legend of a single kind of cells");
    Require(std::ranges::all_of(
                panel.values, [&](float x) { return !(x < 0 || x > last || x != std::floor(x)); }),
            "a value of a matrix is none of its kinds");
  }
  const auto inside = [](const std::vector<double>& edges, int64_t extent) {
    return std::ranges::all_of(
        edges, [&](double at) { return at >= 0 && at <= static_cast<double>(extent); });
  };
  Require(inside(panel.row_edges, panel.rows) && inside(panel.col_edges, panel.cols),
          "a line lies outside its matrix");
  for (const auto& [row, col] : panel.marked) {
    Require(row >= 0 && row < panel.rows && col >= 0 && col < panel.cols,
            "a marked cell lies outside its matrix");
  }
}

void CheckPanel(const MapPanel& panel) {
  CheckPicture(panel.picture);
  Require(
      panel.map.empty() || panel.map.size() == static_cast<size_t>(panel.picture.grid.patches()),
      "a map does not fill its grid");
}

void CheckPanel(const LinksPanel& panel) {
  CheckPicture(panel.left);
  CheckPicture(panel.right);
}

}  // namespace

void CheckChart(const Chart& chart) {
  Require(!chart.panels.empty(), "it has no panels");
  Require(chart.columns >= 1 && chart.columns <= kMostColumns,
          fmt::format("{} panels in a row", chart.columns));
  Require(chart.width >= 40 && chart.width <= 400,
          fmt::format("{} mm wide, which is not from 40 to 400", chart.width));
  const size_t rows = (chart.panels.size() + static_cast<size_t>(chart.columns) - 1) /
                      static_cast<size_t>(chart.columns);
  Require(chart.row_names.empty() || chart.row_names.size() == rows,
          "it has not as many names as rows of panels");
  for (const ChartPanel& panel : chart.panels) {
    std::visit([](const auto& each) { CheckPanel(each); }, panel);
  }
}

}  // namespace vggt
