// SPDX-License-Identifier: Apache-2.0
// A decoded frame of a video as a picture that looks as players show it. Part of builds with
// FFmpeg's libraries only.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "image/picture.h"

struct AVFrame;

namespace vggt {

// FFmpeg keeps some numbers of the file in enums, unchecked: those that the enum has no room for
// may be read only so.
template <typename Enum>
int NumberOf(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

// A display matrix of ISO/IEC 14496-12 (16.16 and 2.30 fixed point), as libavutil's display.h
// stores it: row vectors, the stored pixel (x, y) is shown at (x, y, 1) · matrix.
using DisplayMatrix = std::array<int32_t, 9>;

// The EXIF orientation (1 to 8) that turns stored pixels as `matrix` says, or by the right angle
// nearest to that; 1 for a matrix that maps everything to a line.
int OrientationOf(const DisplayMatrix& matrix);

// Pixels one above the other of aspect width / height, such as 16 / 11; 1 / 1 if unknown.
struct PixelAspect {
  int width = 1, height = 1;
};

// 8-bit RGB of `frame`:
//   colours    by the frame's own matrix (BT.601, 709, 2020, SMPTE 240M, FCC) and range; where it
//              names no matrix, BT.709 from 720 rows or 1280 columns on, else BT.601, as players
//              do. Primaries and transfer are left as they are: HDR is not mapped to SDR.
//   depth      more than 8 bits are rounded to 8; alpha is laid over white
//   interlaced one field only, the earlier, enlarged: the other shows a later moment
//   aspect     pixels that are not square become so, by enlarging the side that is too short
//   rotation   the frame's own display matrix, else `matrix`
// Throws Error naming `name` if it is larger than kMostPixels, or if its pixels are of a format
// that libswscale does not read.
Picture PictureOfFrame(const AVFrame& frame, PixelAspect aspect,
                       const std::optional<DisplayMatrix>& matrix, const std::string& name);

}  // namespace vggt
