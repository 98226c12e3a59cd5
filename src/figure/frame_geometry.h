// SPDX-License-Identifier: Apache-2.0
// Where the cells of a map lie on the picture, turned upright as the model saw it. Coordinates are
// pixels of that picture, from its upper left corner.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/frame_transform.h"
#include "figure/figure.h"
#include "render/canvas.h"

namespace vggt {

class FrameGeometry {
 public:
  // Without a transform the map is stretched over a picture of the frame's size, or of one pixel
  // for each patch if the frame tells none.
  explicit FrameGeometry(const FigureFrame& frame);

  double width() const { return width_; }
  double height() const { return height_; }
  // How the stored picture is turned to be upright: an EXIF orientation.
  int orientation() const { return orientation_; }

  // Where an image of the map, with cells of one size, is to be drawn, and to what it must be
  // clipped. It sticks out of the picture where the frame is padded or cuts the last cells.
  const Box& map() const { return map_; }
  const Box& clip() const { return clip_; }
  // The parts of the picture that the model has not seen. They do not overlap.
  std::vector<Box> Cropped() const;
  // The part of the picture that cells (row, col) to (last_row, last_col) show; nothing if that is
  // padding.
  std::optional<Box> Cells(int64_t row, int64_t col, int64_t last_row, int64_t last_col) const;

 private:
  // model = picture · factor + offset. `count` cells of `cell` model pixels each; [from, to) are
  // the model pixels that show the picture.
  struct Axis {
    double factor, offset, cell;
    int64_t count;
    double from, to;

    double ToPicture(double model) const { return (model - offset) / factor; }
  };

  double width_, height_;
  int orientation_ = 1;
  Axis across_, down_;
  Box map_, clip_;
};

// What both cover; of no width or height if that is nothing.
Box Intersection(const Box& a, const Box& b);

}  // namespace vggt
