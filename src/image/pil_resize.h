// SPDX-License-Identifier: Apache-2.0
// Pillow's Image.resize(size, BICUBIC) and (size, LANCZOS) for 8-bit RGB, with the same bits
// as Pillow up to 12.1; later releases resize columns before rows where that is less work.
#pragma once

#include "image/picture.h"

namespace vggt {

// The rows [first_row, first_row + rows) of `picture` resized to width x height. Only these rows
// are computed and kept in memory. Throws Error if a side is below 1, if the rows are not inside
// the result, or if they have more than kMostPixels pixels.
Picture ResizeBicubicRows(const Picture& picture, int width, int height, int first_row, int rows);

Picture ResizeBicubic(const Picture& picture, int width, int height);
Picture ResizeLanczos(const Picture& picture, int width, int height);

}  // namespace vggt
