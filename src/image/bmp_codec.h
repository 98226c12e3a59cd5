// SPDX-License-Identifier: Apache-2.0
// BMP, by our own decoder (docs/architecture.md says why).
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsBmp(Bytes file);

// Decodes the picture in `file`: OS/2 1.x and Windows headers up to version 5; palettes of 1, 4 and
// 8 bits, plain or run-length coded; 16, 24 and 32 bits, plain or with the masks that Pillow knows.
// As Pillow does, it uses alpha as asked where a mask names it, and otherwise ignores the fourth
// byte. Pixels that run-length coding skips get the first colour of the palette. Throws Error
// naming `name` if the file is damaged, incomplete, or of another kind of BMP.
Picture DecodeBmp(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

}  // namespace vggt
