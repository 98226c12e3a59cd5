// SPDX-License-Identifier: Apache-2.0
// WebP through libwebp.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsWebp(Bytes file);

// The picture in `file`, lossy or lossless; the first frame of an animation, on its canvas. Alpha
// is laid over white; colour profiles and EXIF rotation are ignored: all as Pillow does. Throws
// Error naming `name` if the file is damaged or incomplete.
Picture DecodeWebp(Bytes file, const std::string& name);

}  // namespace vggt
