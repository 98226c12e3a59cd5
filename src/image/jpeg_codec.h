// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsJpeg(Bytes file);

// Decodes the picture in `file`: grey, YCbCr, RGB, CMYK or YCCK, baseline or progressive. As Pillow
// does, it takes CMYK to be inverted and ignores colour profiles and EXIF rotation. Throws Error
// naming `name` if the file is damaged or incomplete; missing data are never replaced.
Picture DecodeJpeg(Bytes file, const std::string& name);

// A baseline JPEG of `picture`, with colours of half the resolution. `quality`: libjpeg's, 1 to
// 100. Throws Error naming `name`.
std::vector<uint8_t> EncodeJpeg(const Picture& picture, int quality, const std::string& name);

// The file without what it says about the camera, the place and the time: no EXIF, no profiles, no
// comments, no thumbnail. Its pixels are those of DecodeJpeg. Empty if `file` is not a grey or
// YCbCr JPEG, whose pixels every program shows alike, or cannot be followed.
std::vector<uint8_t> BareJpeg(Bytes file);

}  // namespace vggt
