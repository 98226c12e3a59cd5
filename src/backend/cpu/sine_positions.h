// SPDX-License-Identifier: Apache-2.0
// Where a map's cells lie in the picture, as sines and cosines that are added to its channels.
#pragma once

#include <cstdint>

#include "backend/cpu/bilinear.h"
#include "core/tensor.h"

namespace vggt {

// A tenth of sin x, cos x, sin y, cos y, a quarter of the channels each, at frequencies
// 100^(-i / quarter). x and y are the centres of the cells of a grid over the picture, in half
// diagonals from the picture's centre. `aspect` is the picture's width / height, which the grid's
// may miss by rounding.
class SinePositions {
 public:
  // `channels` is a multiple of 4.
  SinePositions(MapSize size, int64_t channels, double aspect);

  // map [count, cols, channels] holds the rows [first, first + count) of the grid's; rows outside
  // stay as they are. On all threads.
  void AddTo(int64_t first, int64_t count, float* map) const;

 private:
  MapSize size_;
  int64_t half_;        // channels of x, and of y
  FloatBuffer across_;  // [cols, half]
  FloatBuffer down_;    // [rows, half]
};

}  // namespace vggt
