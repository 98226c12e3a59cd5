// SPDX-License-Identifier: Apache-2.0
// Converts a decoded frame of a video to a picture that looks as in video players. Only part of
// builds with FFmpeg's libraries.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "image/picture.h"

struct AVFrame;

namespace vggt {

// The number that an enum of FFmpeg holds. Some come unchecked from the file, and reading a value
// that the enum does not have in any other way is undefined.
template <typename Enum>
int NumberOf(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

// A display matrix of ISO/IEC 14496-12 (16.16 and 2.30 fixed point), as in libavutil's display.h:
// the stored pixel (x, y) is shown at (x, y, 1) · matrix.
using DisplayMatrix = std::array<int32_t, 9>;

// The EXIF orientation (1 to 8) that turns stored pixels as `matrix` does, with its angle rounded
// to quarter turns; 1 for a matrix that maps everything to a line.
int OrientationOf(const DisplayMatrix& matrix);

// The shape of a pixel: width / height, such as 16 / 11; 1 / 1 if unknown.
struct PixelAspect {
  int width = 1, height = 1;
};

// Converts `frame` to 8-bit RGB:
//   colours    by the frame's own matrix (BT.601, 709, 2020, SMPTE 240M, FCC) and range. If it
//              names no matrix: BT.709 from 720 rows or 1280 columns on, else BT.601, as players
//              do. Primaries and transfer are not converted: HDR is not mapped to SDR.
//   depth      more than 8 bits are rounded to 8; alpha is laid over white
//   interlaced the earlier of the two fields is enlarged; the later one shows another moment
//   aspect     the shorter side of pixels that are not square is enlarged
//   rotation   by the frame's own display matrix, else by `matrix`
// Throws Error naming `name` if the picture has more than kMostPixels pixels, or if libswscale does
// not read the frame's pixel format.
Picture PictureOfFrame(const AVFrame& frame, PixelAspect aspect,
                       const std::optional<DisplayMatrix>& matrix, const std::string& name);

}  // namespace vggt
