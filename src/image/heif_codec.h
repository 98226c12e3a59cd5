// SPDX-License-Identifier: Apache-2.0
// HEIC and other HEIF pictures, which phones take, through libheif.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether this was built with libheif. If not, every DecodeHeif throws (capabilities.h).
extern const bool kReadsHeif;

// Told by the file's brands. False for AVIF, which has the same container (avif_codec.h).
bool IsHeif(Bytes file);

// Decodes the primary picture in `file` as viewers show it: turned, mirrored and cropped as the
// container says (EXIF only repeats this), reduced to 8 bits, with alpha used as asked. Colour
// profiles are ignored. Throws Error naming `name` if the file is damaged or incomplete, or if
// libheif has no decoder for it.
Picture DecodeHeif(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

}  // namespace vggt
