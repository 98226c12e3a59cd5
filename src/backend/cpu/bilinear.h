// SPDX-License-Identifier: Apache-2.0
// Maps [rows, columns, channels] resized by bilinear interpolation.
#pragma once

#include <cstdint>

namespace vggt {

struct MapSize {
  int64_t rows = 0, cols = 0;

  int64_t pixels() const { return rows * cols; }
};

// The rows [first, first + count) of x, of size `from`, resized to size `to`: y [count, to.cols,
// channels]. The first and last samples of both lie on each other, as PyTorch has it with
// align_corners=True. Rows outside of the map are zeros. On all threads.
void ResizeRows(MapSize from, MapSize to, int64_t channels, const float* x, int64_t first,
                int64_t count, float* y);

}  // namespace vggt
