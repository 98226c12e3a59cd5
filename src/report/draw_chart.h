// SPDX-License-Identifier: Apache-2.0
// Draws charts: where everything stands on the page, and the file that comes of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "figure/draw_figure.h"
#include "report/chart.h"

namespace vggt {

// The bytes of a file: title, legend, panels row by row, colour bars that panels share, caption.
// The page is as wide as the chart says and as high as it needs; letters are 6 to 9 points high. In
// PNG 300 dots per inch. `creator` and `recipe` are kept in the file and not drawn. The same chart
// gives the same bytes. Throws Error like CheckChart, and if the page would be higher than a file
// can say. Several threads may draw at once.
std::vector<uint8_t> DrawChart(const Chart& chart, FigureFormat format,
                               const std::string& creator = "", const std::string& recipe = "");

}  // namespace vggt
