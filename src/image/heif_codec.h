// SPDX-License-Identifier: Apache-2.0
// HEIC and other HEIF pictures, as phones take them, through libheif.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether libheif was there when this was built; without it every DecodeHeif throws
// (capabilities.h).
extern const bool kReadsHeif;

// By the file's brands; not AVIF, which shares the container (avif_codec.h).
bool IsHeif(Bytes file);

// The primary picture in `file`, as viewers show it: turned, mirrored and cropped as the container
// says (it says so apart from EXIF, which repeats it), 10 and 12 bits as 8, alpha laid over white;
// colour profiles are ignored. Throws Error naming `name` if the file is damaged or incomplete, or
// if libheif lacks a decoder for it.
Picture DecodeHeif(Bytes file, const std::string& name);

}  // namespace vggt
