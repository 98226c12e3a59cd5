// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsJpeg(Bytes file);

// The picture in `file`: grey, YCbCr, RGB, CMYK or YCCK, baseline or progressive. CMYK is taken to
// be inverted, colour profiles and EXIF rotation are ignored: all as Pillow does. Throws Error
// naming `name` if the file is damaged or incomplete; nothing is made up for missing data.
Picture DecodeJpeg(Bytes file, const std::string& name);

}  // namespace vggt
