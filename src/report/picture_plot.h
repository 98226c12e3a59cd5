// SPDX-License-Identifier: Apache-2.0
// Draws pictures with maps and marks over them, and pairs of pictures with lines between them.
#pragma once

#include <optional>

#include "report/chart.h"
#include "report/chart_page.h"

namespace vggt {

// The height of a picture over its width, upright.
double ShapeOf(const ChartPicture& picture);

// The colour bar that the panel asks for.
std::optional<PageBar> BarOf(const MapPanel& panel);

// Both fit the picture into the box, in its middle.
void WriteMapPlot(ChartPage& page, const MapPanel& panel, const Box& box);
// A pair is as high as its taller picture; `legend` stands below.
double LinksHeight(const LinksPanel& panel, const Typesetter& type, double width);
void WriteLinksPlot(ChartPage& page, const LinksPanel& panel, const Box& box);

}  // namespace vggt
