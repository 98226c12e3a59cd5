// SPDX-License-Identifier: Apache-2.0
// GIF through giflib.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether this was built with giflib. If not, every DecodeGif throws (capabilities.h).
extern const bool kReadsGif;

bool IsGif(Bytes file);

// Decodes the first frame in `file`, on its canvas, as Pillow does: transparent pixels get the
// colour that their index has in the palette. The part of the canvas around a smaller frame gets
// that colour, too, or the first colour of the palette if nothing is transparent. What follows the
// first frame is not read. Throws Error naming `name` if the file is damaged or incomplete.
Picture DecodeGif(Bytes file, const std::string& name);

}  // namespace vggt
