// SPDX-License-Identifier: Apache-2.0
// Pillow's Image.resize(size, BICUBIC) for 8-bit RGB, bit for bit: the cubic kernel with a = -0.5,
// widened when shrinking; columns first, rounded to 8 bits, then rows; weights of 22 fractional
// bits.
#pragma once

#include "image/picture.h"

namespace vggt {

// Rows [first_row, first_row + rows) of `picture` resized to width x height: only they are computed
// and held. Throws Error if a side is below 1, the rows lie outside, or they have more than
// kMostPixels.
Picture ResizeBicubicRows(const Picture& picture, int width, int height, int first_row, int rows);

Picture ResizeBicubic(const Picture& picture, int width, int height);

}  // namespace vggt
