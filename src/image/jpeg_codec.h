// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsJpeg(Bytes file);

// Decodes the picture in `file`: grey, YCbCr, RGB, CMYK or YCCK, baseline or progressive. As Pillow
// does, it takes CMYK to be inverted and ignores colour profiles and EXIF rotation. Throws Error
// naming `name` if the file is damaged or incomplete; missing data are never replaced.
Picture DecodeJpeg(Bytes file, const std::string& name);

}  // namespace vggt
