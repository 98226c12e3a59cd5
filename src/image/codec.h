// SPDX-License-Identifier: Apache-2.0
// Reads pictures of every supported format; their content tells which it is. The pixels equal those
// that Pillow gives by
//   image = Image.open(path)
//   if image.mode == "RGBA": image = Image.alpha_composite(white, image)
//   image.convert("RGB")
// or without the second line, if alpha is dropped,
// except for 16-bit grey, which Pillow clips and this scales. EXIF rotation is not applied, except
// to TIFF, as in Pillow. HEIC, which Pillow does not read, is turned as its container says.
// capabilities.h tells which formats a build lacks.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// The extensions of all formats, in lower case and without dot. Formats that this build lacks are
// among them: their pictures are refused by name, not overlooked.
std::span<const std::string_view> PictureExtensions();

// The one of PictureExtensions() that the name of `path` ends in, in upper or lower case; "" if it
// ends in none.
std::string PictureExtension(const std::filesystem::path& path);

// Throws Error naming `name` if `file` is not a picture, is of a format that is not read (the error
// says which), damaged, incomplete, or larger than kMostPixels.
Picture DecodePicture(Bytes file, const std::string& name, AlphaUse alpha_use = AlphaUse::kOnWhite);
Picture ReadPicture(const std::filesystem::path& path);

// Whether browsers can show the file itself as a still picture: PNG, JPEG or WebP, told by content.
// False if the file cannot be read.
bool BrowsersShow(const std::filesystem::path& path);

}  // namespace vggt
