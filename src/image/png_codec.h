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

// The picture in `file`, the default image of an animation. Every colour type and depth, interlaced
// or not. RGBA is laid over white; the alpha of 8-bit grey and every tRNS chunk are ignored; 16-bit
// RGB keeps the high bytes; gamma and colour profiles are ignored: all as Pillow does. 16-bit grey
// is divided by 257, rounded. Throws Error naming `name` if the file is damaged or incomplete.
Picture DecodePng(Bytes file, const std::string& name);

// rgb [height, width, 3] as a PNG file. Throws Error naming `name`.
std::vector<uint8_t> EncodePng(int width, int height, std::span<const uint8_t> rgb,
                               const std::string& name);
// The same, written whole or not at all. Throws Error.
void WritePng(const std::filesystem::path& path, int width, int height,
              std::span<const uint8_t> rgb, AtomicOptions options = {});

}  // namespace vggt
