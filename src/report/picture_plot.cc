// SPDX-License-Identifier: Apache-2.0
#include "report/picture_plot.h"

#include <algorithm>
#include <cmath>

#include "figure/frame_geometry.h"
#include "render/map_cells.h"

namespace vggt {
namespace {

constexpr double kTallest = 1.8;  // height over width: taller pictures are narrower
constexpr double kUnseen = 0.7;   // opacity of white over what the model has not seen
constexpr double kBetween = PagePoints(2);
constexpr Rgb kBlackEdge = {0, 0, 0}, kWhiteFill = {255, 255, 255};

FrameGeometry GeometryOf(const ChartPicture& picture) {
  FigureFrame frame;
  if (picture.transform.original_width > 0) frame.transform = picture.transform;
  if (picture.picture.pixels) {
    frame.width = picture.picture.pixels->width;
    frame.height = picture.picture.pixels->height;
  }
  const TokenGrid& grid = picture.grid;
  frame.grid = {grid.height, grid.width, grid.height, grid.width, 1, 1};
  return FrameGeometry(frame);
}

Box PartOnPage(const Box& part, const FrameGeometry& geometry, const Box& place) {
  const double across = place.width / geometry.width(), down = place.height / geometry.height();
  return {place.x + part.x * across, place.y + part.y * down, part.width * across,
          part.height * down};
}

Box FittedPicture(const FrameGeometry& geometry, const Box& box) {
  const double factor = std::min(box.width / geometry.width(), box.height / geometry.height());
  const double width = geometry.width() * factor, height = geometry.height() * factor;
  return {box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height};
}

Point MarkOnPage(const ChartMark& mark, const FrameGeometry& geometry, const TokenGrid& grid,
                 const Box& place) {
  const Box map = PartOnPage(geometry.map(), geometry, place);
  return {map.x + mark.x / static_cast<double>(grid.width) * map.width,
          map.y + mark.y / static_cast<double>(grid.height) * map.height};
}

void WritePicture(ChartPage& page, const ChartPicture& picture, const FrameGeometry& geometry,
                  const Box& place, double shade = 0) {
  page.Draw([=, pixels = picture.picture](const PageTools& tools) {
    if (pixels.pixels) {
      tools.canvas.DrawPicture(pixels, place);
      if (shade > 0) tools.canvas.FillBox(place, kBlackEdge, shade);
    } else {
      tools.canvas.FillBox(place, kPageEmpty);
    }
    for (const Box& part : geometry.Cropped()) {
      tools.canvas.FillBox(PartOnPage(part, geometry, place), kWhiteFill, kUnseen);
    }
  });
}

void WriteMark(ChartPage& page, const ChartMark& mark, const Point& at, double radius,
               const Box& within) {
  const Rgb colour = SeriesColour(mark.colour);
  const SetText text = page.type().Line(mark.text, {6, true, kWhiteFill});
  page.Draw([=](const PageTools& tools) {
    tools.canvas.StrokeCircle(at.x, at.y, radius, {kWhiteFill, 2.2, {}});
    tools.canvas.StrokeCircle(at.x, at.y, radius, {colour, 1.2, {}});
    if (text.empty()) return;
    const double width = text.width() + 3, height = 7.5;
    const bool right = at.x + radius + 1.5 + width <= within.right();
    const double x = right ? at.x + radius + 1.5 : at.x - radius - 1.5 - width;
    const double y =
        std::clamp(at.y - height / 2, within.y, std::max(within.y, within.bottom() - height));
    tools.canvas.FillRounded({x, y, width, height}, 1.5, kBlackEdge, 0.75);
    tools.canvas.DrawText(text, x + 1.5, y + (height - text.height()) / 2);
  });
}

double LegendHeight(const LinksPanel& panel, const Typesetter& type, double width) {
  ChartPage scratch(type);
  std::vector<LegendEntry> entries;
  for (const auto& [colour, text] : panel.legend) entries.push_back({text, SeriesColour(colour)});
  return WriteLegend(scratch, entries, 0, 0, width);
}

}  // namespace

double ShapeOf(const ChartPicture& picture) {
  const FrameGeometry geometry = GeometryOf(picture);
  return std::min(kTallest, geometry.height() / geometry.width());
}

std::optional<PageBar> BarOf(const MapPanel& panel) {
  if (!panel.bar) return std::nullopt;
  const CellColours& colours = panel.colours;
  return PageBar{colours.colormap, colours.range, colours.gamma, colours.diverging, panel.unit};
}

void WriteMapPlot(ChartPage& page, const MapPanel& panel, const Box& box) {
  const FrameGeometry geometry = GeometryOf(panel.picture);
  const Box place = FittedPicture(geometry, box);
  WritePicture(page, panel.picture, geometry, place, panel.shade);
  const TokenGrid grid = panel.picture.grid;
  if (!panel.map.empty()) {
    const Box map = PartOnPage(geometry.map(), geometry, place);
    const Box clip = Intersection(PartOnPage(geometry.clip(), geometry, place), place);
    page.Draw([=, &panel](const PageTools& tools) {
      int enlarged = 1;
      if (tools.kind != CanvasKind::kPng) {
        const double pixels = map.width / 72 * tools.dpi / static_cast<double>(grid.width);
        enlarged = std::clamp(static_cast<int>(std::ceil(pixels)), 2, 8);
      }
      tools.canvas.PushClip(clip);
      tools.canvas.DrawCells(CellsOf(panel.map, grid.height, grid.width, panel.colours, enlarged),
                             map, false);
      tools.canvas.PopClip();
    });
  }
  for (const ChartMark& mark : panel.marks) {
    const double radius = std::clamp(0.9 * place.width / static_cast<double>(grid.width), 1.8, 4.0);
    WriteMark(page, mark, MarkOnPage(mark, geometry, grid, place), radius, place);
  }
}

double LinksHeight(const LinksPanel& panel, const Typesetter& type, double width) {
  const double each = (width - kBetween) / 2;
  const double legend = LegendHeight(panel, type, width);
  return each * std::max(ShapeOf(panel.left), ShapeOf(panel.right)) + (legend > 0 ? 2 + legend : 0);
}

void WriteLinksPlot(ChartPage& page, const LinksPanel& panel, const Box& box) {
  const double each = (box.width - kBetween) / 2;
  const double legend = LegendHeight(panel, page.type(), box.width);
  const double high = box.height - (legend > 0 ? 2 + legend : 0);
  const FrameGeometry left = GeometryOf(panel.left), right = GeometryOf(panel.right);
  const Box at_left = FittedPicture(left, {box.x, box.y, each, high});
  const Box at_right = FittedPicture(right, {box.x + each + kBetween, box.y, each, high});
  WritePicture(page, panel.left, left, at_left);
  WritePicture(page, panel.right, right, at_right);
  struct Ends {
    Point from, to;
    Rgb colour;
  };
  std::vector<Ends> ends;
  for (const LinksPanel::Link& link : panel.links) {
    ends.push_back({MarkOnPage(link.from, left, panel.left.grid, at_left),
                    MarkOnPage(link.to, right, panel.right.grid, at_right),
                    SeriesColour(link.colour)});
  }
  page.Draw([=](const PageTools& tools) {
    for (const auto& [from, to, colour] : ends) {
      tools.canvas.StrokeLine(from.x, from.y, to.x, to.y, {colour, 0.6, {}});
    }
    for (const auto& [from, to, colour] : ends) {
      for (const Point& at : {from, to}) {
        tools.canvas.FillCircle(at.x, at.y, 1.5, kWhiteFill);
        tools.canvas.FillCircle(at.x, at.y, 1.1, colour);
      }
    }
  });
  std::vector<LegendEntry> entries;
  for (const auto& [colour, text] : panel.legend) entries.push_back({text, SeriesColour(colour)});
  WriteLegend(page, entries, box.x, box.y + high + 2, box.width);
}

}  // namespace vggt
