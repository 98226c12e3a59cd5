// SPDX-License-Identifier: Apache-2.0
#include "report/chart.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

Chart Of(ChartPanel panel) {
  Chart chart;
  chart.panels.push_back(std::move(panel));
  return chart;
}

std::string Problem(const Chart& chart) {
  return ErrorOf([&] { CheckChart(chart); });
}

TEST(Chart, NeedsPanelsAndAWidth) {
  EXPECT_THAT(Problem({}), HasSubstr("no panels"));
  Chart chart = Of(LinePanel{});
  EXPECT_NO_THROW(CheckChart(chart));
  chart.width = 39;
  EXPECT_THAT(Problem(chart), HasSubstr("39 mm wide"));
  chart.width = 85;
  chart.columns = 0;
  EXPECT_THAT(Problem(chart), HasSubstr("0 panels in a row"));
  chart.columns = 2;
  chart.row_names = {"a", "b"};
  EXPECT_THAT(Problem(chart), HasSubstr("names as rows of panels"));
}

TEST(Chart, LinesHaveAsManyYAsX) {
  LinePanel panel;
  panel.series = {{.x = {1, 2}, .y = {1}}};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("as many y as x"));
  panel.series = {{.x = {1, 2}, .y = {1, 2}, .low = {0, 1}, .high = {2}}};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("band"));
  panel.series[0].high = {2, 3};
  EXPECT_NO_THROW(CheckChart(Of(panel)));
}

TEST(Chart, MatricesAreFilled) {
  HeatPanel panel;
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("a matrix of 0 × 0 cells"));
  panel.rows = panel.cols = int64_t{1} << 40;
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("a matrix of"));
  panel.rows = 1, panel.cols = 2;
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("do not fill"));
  panel.values = {1, 2};
  panel.row_names = {"a", "b"};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("names as rows"));
  panel.row_names = {"a"};
  panel.col_names = {"a"};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("names as columns"));
  panel.col_names.clear();
  panel.marked = {{0, 2}};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("marked cell"));
  panel.marked.clear();
  panel.classes = {"no", "yes"};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("none of its kinds"));  // 2
  panel.values = {0, 1};
  panel.row_edges = {1.5};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("a line lies outside"));
}

TEST(Chart, MapsFillTheirGrids) {
  MapPanel panel;
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("no grid"));
  panel.picture.grid = {1, 0, 2, 3};
  EXPECT_NO_THROW(CheckChart(Of(panel)));
  panel.map = {1, 2, 3};
  EXPECT_THAT(Problem(Of(panel)), HasSubstr("does not fill its grid"));
  LinksPanel pair;
  pair.left.grid = {1, 0, 2, 3};
  EXPECT_THAT(Problem(Of(pair)), HasSubstr("no grid"));
}

}  // namespace
}  // namespace vggt
