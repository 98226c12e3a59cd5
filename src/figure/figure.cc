// SPDX-License-Identifier: Apache-2.0
#include "figure/figure.h"

#include <fmt/format.h>

#include "core/error.h"

namespace vggt {
namespace {

constexpr double kLeastWidth = 40, kMostWidth = 400;
constexpr int kLeastDpi = 72, kMostDpi = 600;
constexpr int64_t kMostCells = 4096;  // of a grid's side, far beyond any model's

void CheckFrames(const Figure& figure) {
  for (size_t i = 0; i < figure.frames.size(); ++i) {
    const FigureFrame& frame = figure.frames[i];
    const FigureGrid& g = frame.grid;
    for (const int64_t side :
         {g.rows, g.cols, g.patch_rows, g.patch_cols, g.stride_rows, g.stride_cols}) {
      if (side < 1 || side > kMostCells) {
        throw Error(fmt::format("frame {} of the figure has a grid with a side of {}", i, side));
      }
    }
    if (!frame.transform) {
      if (frame.width < 0 || frame.height < 0) {
        throw Error(fmt::format("frame {} of the figure has a negative size", i));
      }
      continue;
    }
    const FrameTransform& t = *frame.transform;
    for (const int side :
         {t.original_width, t.original_height, t.cut_width(), t.cut_height(), t.resized_width,
          t.resized_height, t.crop_width(), t.model_width, t.model_height}) {
      if (side < 1) {
        throw Error(
            fmt::format("frame {} of the figure has a transform with a side of {}", i, side));
      }
    }
  }
}

void CheckFrame(const Figure& figure, size_t frame) {
  if (frame >= figure.frames.size()) {
    throw Error(
        fmt::format("a figure of {} frames refers to frame {}", figure.frames.size(), frame));
  }
}

void CheckCell(const Figure& figure, const FigureCell& cell) {
  CheckFrame(figure, cell.frame);
  if (!cell.map) return;
  const FigureGrid& grid = figure.frames[cell.frame].grid;
  if (std::ssize(cell.map->values) != grid.rows * grid.cols) {
    throw Error(fmt::format("a map of {} values does not fill {} × {} cells",
                            cell.map->values.size(), grid.rows, grid.cols));
  }
  if (cell.map->bar >= figure.bars.size()) {
    throw Error(fmt::format("a map refers to bar {} of {}", cell.map->bar, figure.bars.size()));
  }
}

}  // namespace

void CheckFigure(const Figure& figure) {
  // Written so that NaN is refused.
  if (!(figure.width >= kLeastWidth && figure.width <= kMostWidth)) {
    throw Error(fmt::format("a figure {:.4g} mm wide", figure.width), "",
                fmt::format("`width` is {} to {} mm.", kLeastWidth, kMostWidth));
  }
  if (figure.dpi < kLeastDpi || figure.dpi > kMostDpi) {
    throw Error(fmt::format("a figure of {} dots per inch", figure.dpi), "",
                fmt::format("`dpi` is {} to {}.", kLeastDpi, kMostDpi));
  }
  CheckFrames(figure);
  for (const FigurePanel& panel : figure.panels) CheckFrame(figure, panel.frame);
  size_t cells = 0;
  for (const FigureGroup& group : figure.groups) {
    for (const FigureColumn& column : group.columns) {
      cells += column.cells.size();
      for (const FigureCell& cell : column.cells) CheckCell(figure, cell);
      if (!figure.row_labels.empty() && column.cells.size() > figure.row_labels.size()) {
        throw Error(fmt::format("a column of {} cells with labels for {}", column.cells.size(),
                                figure.row_labels.size()));
      }
    }
  }
  if (cells == 0 && figure.panels.empty()) throw Error("a figure without pictures");
}

}  // namespace vggt
