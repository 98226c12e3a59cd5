// SPDX-License-Identifier: Apache-2.0
// BMP, decoded here (docs/architecture.md says why).
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsBmp(Bytes file);

// The picture in `file`: OS/2 1.x and Windows headers up to version 5; palettes of 1, 4 and 8 bits,
// plain or run-length coded; 16, 24 and 32 bits, plain or with the masks that Pillow knows. Alpha,
// where a mask names it, is laid over white; else the fourth byte is ignored: all as Pillow does.
// Pixels that run-length coding leaves out have the first colour. Throws Error naming `name` if the
// file is damaged or incomplete, or of another kind.
Picture DecodeBmp(Bytes file, const std::string& name);

}  // namespace vggt
