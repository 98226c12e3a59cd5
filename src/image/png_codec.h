// SPDX-License-Identifier: Apache-2.0
// PNG through libpng.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

bool IsPng(Bytes file);

// Decodes the picture in `file`, of every colour type and depth, interlaced or not; of an animation
// the default image. As Pillow does, it uses RGBA's alpha as asked, takes the high bytes of 16-bit
// RGB, and ignores the alpha of 8-bit grey, tRNS chunks, gamma and colour profiles. 16-bit grey is
// divided by 257 and rounded. Throws Error naming `name` if the file is damaged or incomplete.
Picture DecodePng(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);

// Numbers that were stored as a picture, such as depth.
struct Grey16 {
  int width = 0, height = 0;
  std::vector<uint16_t> values;  // [height, width]
};
// The values of a PNG of 16-bit grey as they are stored. Throws Error like DecodePng, and if it is
// of another type.
Grey16 DecodeGrey16Png(Bytes file, const std::string& name);
// The bytes of a PNG file of 16-bit grey. Throws Error naming `name`.
std::vector<uint8_t> EncodeGrey16Png(const Grey16& grey, const std::string& name);

// What a PNG file says about itself: its resolution (pHYs; 0: nothing) and texts in UTF-8 (iTXt;
// empty ones are left out).
struct PngNotes {
  double dpi = 0;
  std::string title = "", software = "", description = "";
};

// The bytes of a PNG file of `rgb` [height, width, 3]. Throws Error naming `name`.
std::vector<uint8_t> EncodePng(int width, int height, std::span<const uint8_t> rgb,
                               const std::string& name, const PngNotes& notes = {});
// Writes these bytes to a file, whole or not at all. Throws Error.
void WritePng(const std::filesystem::path& path, int width, int height,
              std::span<const uint8_t> rgb, AtomicOptions options = {});

}  // namespace vggt
