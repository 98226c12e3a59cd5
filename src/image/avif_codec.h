// SPDX-License-Identifier: Apache-2.0
// AVIF through libavif, as in Pillow. libheif gives different pixels where colour has fewer samples
// than brightness.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether this was built with libavif. If not, every DecodeAvif throws (capabilities.h).
extern const bool kReadsAvif;

// Told by the file's brands.
bool IsAvif(Bytes file);

// Decodes the picture in `file`; of a sequence, the first. As Pillow does, it uses alpha as asked
// and ignores colour profiles and rotation, also that of the container (AvifOrientation). Throws
// Error naming `name` if the file is damaged or incomplete.
Picture DecodeAvif(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

// The rotation and mirroring that the container asks for, as an EXIF orientation from 1 to 8, as
// Pillow reports it. 1 if it asks for none, or if `file` cannot be read as AVIF.
int AvifOrientation(Bytes file);

}  // namespace vggt
