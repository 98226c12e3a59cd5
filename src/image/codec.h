// SPDX-License-Identifier: Apache-2.0
// Pictures of every format that is read, told apart by content. The pixels equal those of Pillow's
//   image = Image.open(path)
//   if image.mode == "RGBA": image = Image.alpha_composite(white, image)
//   image.convert("RGB")
// but for 16-bit grey, which Pillow clips and which is scaled here. EXIF rotation is not applied,
// except to TIFF, where Pillow applies it. HEIC, which Pillow does not read, is turned as its
// container says. What a build lacks is said in capabilities.h.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/file.h"
#include "image/picture.h"

namespace vggt {

// The extensions of the formats read, lower case, without dot; those that this
// build lacks, too: their pictures are named when they are refused.
std::span<const std::string_view> PictureExtensions();

// The one of PictureExtensions() that the name of `path` ends in, upper or lower case; "" if none.
std::string PictureExtension(const std::filesystem::path& path);

// Throws Error naming `name` if `file` is no picture, of another format (then saying which),
// damaged, incomplete, or larger than kMostPixels.
Picture DecodePicture(Bytes file, const std::string& name);
Picture ReadPicture(const std::filesystem::path& path);

// Whether browsers show the file as it is, as a still picture: PNG, JPEG and WebP, by content.
// False if it cannot be read.
bool BrowsersShow(const std::filesystem::path& path);

}  // namespace vggt
