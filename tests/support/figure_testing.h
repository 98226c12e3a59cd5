// SPDX-License-Identifier: Apache-2.0
// Figures of every kind, with maps that are made up, and their pixels.
#pragma once

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "figure/draw_figure.h"
#include "image/png_codec.h"

namespace vggt::testing {

enum class FigureKind { kFrames, kColumns, kMatrix };

struct FigureWish {
  FigureKind kind = FigureKind::kFrames;
  int pictures = 3, columns = 1, queries = 1;
  bool compared = false;  // A, B and their difference
  bool upright = false;
  double width = 170;
  std::string name = "kitchen.jpg";  // of all pictures
  bool panels = true;
};

inline FigureMap SomeMap(const FigureGrid& grid, int seed, size_t bar) {
  FigureMap map;
  map.bar = bar;
  map.range = {bar == 0 ? 0.0 : -1.0, 1, false};
  for (int64_t i = 0; i < grid.rows * grid.cols; ++i) {
    map.values.push_back(static_cast<float>((i * 7 + seed) % 11) / 10);
  }
  return map;
}

inline FigureCell SomeCell(const Figure& figure, size_t frame, int seed, size_t bar) {
  FigureCell cell;
  cell.frame = frame;
  cell.map = SomeMap(figure.frames[frame].grid, seed, bar);
  cell.match = FigurePatch{seed % 4, seed % 5};
  return cell;
}

inline Figure SomeFigure(const FigureWish& wish = {}) {
  Figure figure;
  figure.width = wish.width;
  figure.dpi = 100;
  figure.title = "Layer 24, head 3";
  figure.subtitle = "scene · query patch (1, 2) of frame 0 · model";
  figure.footer = {"VGGT-1B · float32", "softmax over all keys, as the model computes it"};
  figure.bars.push_back({"attention; 99 % of all shown, in all frames; maximum 0.273",
                         {{0, "0"}, {0.5, "0.00073"}, {1, "≥ 0.00146"}},
                         Colormap::kJet,
                         false});
  if (wish.compared) {
    figure.bars.push_back({"A − B", {{0, "−1"}, {0.5, "0"}, {1, "1"}}, Colormap::kCoolwarm, true});
  }
  for (int i = 0; i < wish.pictures; ++i) {
    FigureFrame frame;
    frame.width = wish.upright ? 400 : 600;
    frame.height = wish.upright ? 600 : 400;
    frame.grid = wish.upright ? FigureGrid{6, 4, 6, 4, 1, 1} : FigureGrid{4, 6, 4, 6, 1, 1};
    figure.frames.push_back(frame);
  }
  if (wish.panels) {
    FigurePanel panel;
    panel.label = "query, frame 0 · " + wish.name;
    panel.short_label = "query, frame 0";
    for (int q = 1; q <= wish.queries; ++q) panel.marks.push_back({q, q - 1, q - 1, q - 1, q - 1});
    figure.panels.push_back(panel);
  }
  figure.layout = wish.kind == FigureKind::kFrames ? FigureLayout::kFrames : FigureLayout::kColumns;
  const int groups = wish.compared ? 3 : wish.queries;
  for (int g = 0; g < groups; ++g) {
    FigureGroup group;
    group.query = wish.compared ? 1 : g + 1;
    if (groups > 1) group.title = "group " + std::to_string(g + 1);
    const size_t bar = wish.compared && g == 2 ? 1 : 0;
    for (int c = 0; c < wish.columns; ++c) {
      FigureColumn column;
      if (wish.kind != FigureKind::kFrames) column.title = std::to_string(c + 1);
      for (int i = 0; i < wish.pictures; ++i) {
        FigureCell cell = SomeCell(figure, static_cast<size_t>(i), i + c + g, bar);
        if (wish.kind == FigureKind::kMatrix) {
          cell.picture = false;
        } else {
          cell.label = "frame " + std::to_string(i) + " · " + wish.name;
          cell.short_label = "frame " + std::to_string(i);
          cell.note = std::to_string(i % 100) + " %";
        }
        column.cells.push_back(cell);
      }
      group.columns.push_back(column);
    }
    figure.groups.push_back(group);
  }
  if (wish.kind == FigureKind::kMatrix) {
    for (int i = 0; i < wish.pictures; ++i) figure.row_labels.push_back(std::to_string(i + 1));
  }
  return figure;
}

// A figure of one map alone: no panels, words or bars.
inline Figure OneMap() {
  FigureWish wish;
  wish.pictures = 1;
  wish.width = 60;
  wish.panels = false;
  Figure figure = SomeFigure(wish);
  figure.title = figure.subtitle = "";
  figure.footer.clear();
  FigureCell& cell = figure.groups[0].columns[0].cells[0];
  cell.label = cell.short_label = cell.note = "";
  cell.match.reset();
  figure.looks.alone = true;
  return figure;
}

// The pixels of a figure's PNG.
class FigurePixels {
 public:
  explicit FigurePixels(const Figure& figure)
      : picture_(DecodePng(DrawFigure(figure, FigureFormat::kPng), "the figure")),
        scale_(figure.dpi / 25.4) {}

  int width() const { return picture_.width; }
  int height() const { return picture_.height; }
  double mm_high() const { return picture_.height / scale_; }
  Rgb At(int x, int y) const {
    const uint8_t* p = picture_.rgb.data() + size_t{3} * (y * picture_.width + x);
    return {p[0], p[1], p[2]};
  }
  // The pixel at a place in millimetres.
  Rgb AtMm(double x, double y) const {
    return At(static_cast<int>(std::floor(x * scale_)), static_cast<int>(std::floor(y * scale_)));
  }
  // How many pixels in [x0, x1) × [y0, y1) mm have a colour; `far`: differ by at most so much.
  int CountMm(Rgb colour, double x0, double y0, double x1, double y1, int far = 0) const {
    int count = 0;
    for (int y = Pixel(y0, height()); y < Pixel(y1, height()); ++y) {
      for (int x = Pixel(x0, width()); x < Pixel(x1, width()); ++x) {
        const Rgb at = At(x, y);
        bool is_near = true;
        for (int c = 0; c < 3; ++c) is_near = is_near && std::abs(at[c] - colour[c]) <= far;
        count += is_near;
      }
    }
    return count;
  }
  int Count(Rgb colour, int far = 0) const {
    return CountMm(colour, 0, 0, width() / scale_, height() / scale_, far);
  }
  // Whether nothing is drawn within `mm` of the page's edge.
  bool HasEmptyEdge(double mm) const {
    const int edge = static_cast<int>(mm * scale_);
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) {
        const bool is_edge = x < edge || y < edge || x >= width() - edge || y >= height() - edge;
        if (is_edge && At(x, y) != Rgb{255, 255, 255}) return false;
      }
    }
    return true;
  }

 private:
  int Pixel(double mm, int most) const {
    return std::clamp(static_cast<int>(std::floor(mm * scale_)), 0, most);
  }

  Picture picture_;
  double scale_;
};

}  // namespace vggt::testing
