// SPDX-License-Identifier: Apache-2.0
// TIFF through libtiff.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether this was built with libtiff. If not, every DecodeTiff throws (capabilities.h).
extern const bool kReadsTiff;

bool IsTiff(Bytes file);

// Decodes the first picture in `file`: grey and palettes of 1, 2, 4 and 8 bits, RGB and CMYK of 8
// bits, grey, RGB and CMYK of 16 bits; in strips or tiles, with samples interleaved or in planes;
// with the usual compressions, as far as libtiff was built with them. As Pillow does, it turns the
// picture by the tag Orientation, uses alpha of RGBA (premultiplied or not) as asked, ignores the
// alpha of grey, and takes the high byte of 16 bits. 16-bit grey is divided by 257 and rounded.
// Throws Error naming `name` if the file is damaged or incomplete, holds a camera's raw data, or
// has samples or colours of another kind.
Picture DecodeTiff(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

}  // namespace vggt
