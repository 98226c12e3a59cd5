// SPDX-License-Identifier: Apache-2.0
#include "figure/frame_geometry.h"

#include <algorithm>

namespace vggt {

FrameGeometry::FrameGeometry(const FigureFrame& frame) {
  const FigureGrid& grid = frame.grid;
  if (frame.transform) {
    const FrameTransform& t = *frame.transform;
    width_ = t.turned_width();
    height_ = t.turned_height();
    orientation_ = t.orientation;
    const auto cell = [](int model, int64_t patches, int64_t stride) {
      return static_cast<double>(model) / static_cast<double>(patches) *
             static_cast<double>(stride);
    };
    const double wider = static_cast<double>(t.resized_width) / t.cut_width();
    const double higher = static_cast<double>(t.resized_height) / t.cut_height();
    across_ = {wider,
               t.pad_left - t.crop_left - t.cut_left * wider,
               cell(t.model_width, grid.patch_cols, grid.stride_cols),
               grid.cols,
               std::max(0.0, static_cast<double>(t.pad_left)),
               std::min<double>(t.model_width, t.pad_left + t.crop_width())};
    down_ = {higher,
             t.pad_top - t.crop_top - t.cut_top * higher,
             cell(t.model_height, grid.patch_rows, grid.stride_rows),
             grid.rows,
             std::max(0.0, static_cast<double>(t.pad_top)),
             std::min<double>(t.model_height, t.pad_top + t.crop_height)};
  } else {
    const bool has_size = frame.width > 0 && frame.height > 0;
    width_ = static_cast<double>(has_size ? frame.width : grid.patch_cols);
    height_ = static_cast<double>(has_size ? frame.height : grid.patch_rows);
    const auto stretched = [](double size, int64_t count) {
      return Axis{1, 0, size / static_cast<double>(count), count, 0, size};
    };
    across_ = stretched(width_, grid.cols);
    down_ = stretched(height_, grid.rows);
  }
  const auto span = [](const Axis& axis, double from, double to) {
    const double start = axis.ToPicture(from);
    return std::pair(start, std::max(0.0, axis.ToPicture(to) - start));
  };
  const auto [x, wide] = span(across_, 0, across_.cell * static_cast<double>(across_.count));
  const auto [y, high] = span(down_, 0, down_.cell * static_cast<double>(down_.count));
  map_ = {x, y, wide, high};
  const auto [left, shown_wide] = span(across_, across_.from, across_.to);
  const auto [top, shown_high] = span(down_, down_.from, down_.to);
  clip_ = Intersection({left, top, shown_wide, shown_high}, {0, 0, width_, height_});
}

std::vector<Box> FrameGeometry::Cropped() const {
  const Box& in = clip_;
  std::vector<Box> parts = {{0, 0, width_, in.y},
                            {0, in.bottom(), width_, height_ - in.bottom()},
                            {0, in.y, in.x, in.height},
                            {in.right(), in.y, width_ - in.right(), in.height}};
  std::erase_if(parts, [](const Box& box) { return box.width <= 1e-6 || box.height <= 1e-6; });
  return parts;
}

std::optional<Box> FrameGeometry::Cells(int64_t row, int64_t col, int64_t last_row,
                                        int64_t last_col) const {
  const auto span = [](const Axis& axis, int64_t first, int64_t last) {
    const double from = axis.ToPicture(std::max(static_cast<double>(first) * axis.cell, axis.from));
    const double to = axis.ToPicture(std::min(static_cast<double>(last + 1) * axis.cell, axis.to));
    return std::pair(from, to - from);
  };
  const auto [x, wide] = span(across_, col, last_col);
  const auto [y, high] = span(down_, row, last_row);
  if (!(wide > 0 && high > 0)) return std::nullopt;
  return Box{x, y, wide, high};
}

Box Intersection(const Box& a, const Box& b) {
  const double x = std::max(a.x, b.x), y = std::max(a.y, b.y);
  return {x, y, std::max(0.0, std::min(a.right(), b.right()) - x),
          std::max(0.0, std::min(a.bottom(), b.bottom()) - y)};
}

}  // namespace vggt
