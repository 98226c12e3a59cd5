// SPDX-License-Identifier: Apache-2.0
// AVIF through libavif, which Pillow uses: libheif makes other pixels of it where colour has fewer
// samples than brightness.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether libavif was there when this was built; without it every DecodeAvif throws
// (capabilities.h).
extern const bool kReadsAvif;

// By the file's brands.
bool IsAvif(Bytes file);

// The picture in `file`, the first of a sequence. Alpha is laid over white; colour profiles and
// rotation (the container's, too: AvifOrientation) are ignored: all as Pillow does. Throws Error
// naming `name` if the file is damaged or incomplete.
Picture DecodeAvif(Bytes file, const std::string& name);

// How the container says that the pixels are to be turned, as an EXIF orientation from 1 to 8; as
// Pillow reports it. 1 if nothing is said, or if `file` cannot be read as AVIF.
int AvifOrientation(Bytes file);

}  // namespace vggt
