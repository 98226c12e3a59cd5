// SPDX-License-Identifier: Apache-2.0
// GIF through giflib.
#pragma once

#include <string>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// Whether giflib was there when this was built; without it every DecodeGif throws (capabilities.h).
extern const bool kReadsGif;

bool IsGif(Bytes file);

// The first frame in `file`, on its canvas. Transparent pixels have the colour that stands for
// them in the palette, and surround a frame that is smaller than the canvas; without transparency
// it is surrounded by the first colour: all as Pillow does. What follows the first frame is not
// read. Throws Error naming `name` if the file is damaged or incomplete.
Picture DecodeGif(Bytes file, const std::string& name);

}  // namespace vggt
