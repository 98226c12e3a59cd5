// SPDX-License-Identifier: Apache-2.0
// WebP through libwebp.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsWebp(Bytes file);

// Decodes the picture in `file`, lossy or lossless; of an animation the first frame, on its canvas.
// As Pillow does, it uses alpha as asked and ignores colour profiles and EXIF rotation. Throws
// Error naming `name` if the file is damaged or incomplete.
Picture DecodeWebp(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

}  // namespace vggt
