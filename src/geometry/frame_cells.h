// SPDX-License-Identifier: Apache-2.0
// The cells of a frame: which patch a place lies in, and where a patch's centre is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "store/common/frame_list.h"

namespace vggt {

// Of all frames of a list that has transforms. Places are pixels of the frame as the model sees it.
struct FrameCells {
  explicit FrameCells(const FrameList& frames)
      : rows(frames.H_p),
        cols(frames.W_p),
        width(frames.transforms.at(0).model_width),
        height(frames.transforms.at(0).model_height) {}

  int64_t rows, cols;    // of patches
  double width, height;  // of the frame

  int64_t patches() const { return rows * cols; }
  double cell_width() const { return width / static_cast<double>(cols); }
  double cell_height() const { return height / static_cast<double>(rows); }

  Point Centre(int64_t patch) const {
    return {(static_cast<double>(patch % cols) + 0.5) * cell_width(),
            (static_cast<double>(patch / cols) + 0.5) * cell_height()};
  }
  // The patch that holds a place; of places outside, the nearest.
  int64_t PatchAt(Point place) const {
    const auto at = [](double x, double cell, int64_t count) {
      return static_cast<int64_t>(
          std::clamp(std::floor(x / cell), 0.0, static_cast<double>(count - 1)));
    };
    return at(place.y, cell_height(), rows) * cols + at(place.x, cell_width(), cols);
  }
};

}  // namespace vggt
