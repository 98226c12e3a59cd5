// SPDX-License-Identifier: Apache-2.0
// A decoded picture (8-bit RGB), and Pillow's arithmetic for files that are not RGB.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vggt {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3], row-major
};

// Pictures with more pixels than this are refused.
inline constexpr int64_t kMostPixels = 500'000'000;

// Throws Error about file `name` if a side is below 1 or there are more than kMostPixels.
void CheckPictureSize(int64_t width, int64_t height, const std::string& name);

// A black picture. Throws Error like CheckPictureSize.
Picture BlankPicture(int64_t width, int64_t height, const std::string& name);

// Lays RGBA [n, 4], whose alpha is not premultiplied, over white: RGB [n, 3]. The result equals
// Pillow's Image.alpha_composite on opaque white.
void CompositeOnWhite(std::span<const uint8_t> rgba, std::span<uint8_t> rgb);

// What becomes of a picture's alpha: the picture is laid over white, or its colours are taken as
// they are, as by Pillow's convert("RGB").
enum class AlphaUse { kOnWhite, kDropped };
// RGB [n, 3] of RGBA [n, 4], whose alpha is not premultiplied.
void RgbOfRgba(std::span<const uint8_t> rgba, AlphaUse use, std::span<uint8_t> rgb);
// Divides the colours of RGBA [n, 4] by their alpha, as Pillow reads such pictures. Where alpha is
// 0, they become 0.
void Unpremultiply(std::span<uint8_t> rgba);

// Converts CMYK [n, 4] as Adobe stores it (255 is no ink) to RGB [n, 3]. The result equals Pillow's
// reading of such a JPEG, converted to "RGB".
void InvertedCmykToRgb(std::span<const uint8_t> cmyk, std::span<uint8_t> rgb);

}  // namespace vggt
