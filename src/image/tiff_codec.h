// SPDX-License-Identifier: Apache-2.0
// TIFF through libtiff.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether libtiff was there when this was built; without it every DecodeTiff throws
// (capabilities.h).
extern const bool kReadsTiff;

bool IsTiff(Bytes file);

// The first picture in `file`: grey and palettes of 1, 2, 4 and 8 bits, RGB and CMYK of 8 bits,
// all but palettes also of 16, in strips or tiles, in planes or not, with every compression that
// libtiff has. It is turned as the tag Orientation says. RGBA is laid over white, premultiplied or
// not; the alpha of grey is ignored; 16 bits keep the high byte: all as Pillow does. 16-bit grey is
// divided by 257, rounded. Throws Error naming `name` if the file is damaged or incomplete, holds a
// camera's raw data, or numbers or colours of another kind.
Picture DecodeTiff(Bytes file, const std::string& name);

}  // namespace vggt
