// SPDX-License-Identifier: Apache-2.0
// A decoded picture: 8-bit RGB, and Pillow's arithmetic for what is not RGB in the file.
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

// Pictures of more pixels than this are refused.
inline constexpr int64_t kMostPixels = 500'000'000;

// Throws Error about file `name` if a side is below 1 or there are more than kMostPixels.
void CheckPictureSize(int64_t width, int64_t height, const std::string& name);

// A black picture. Throws Error like CheckPictureSize.
Picture BlankPicture(int64_t width, int64_t height, const std::string& name);

// RGBA [n, 4], alpha not premultiplied, laid over white: RGB [n, 3].
// Equals Pillow's Image.alpha_composite on opaque white.
void CompositeOnWhite(std::span<const uint8_t> rgba, std::span<uint8_t> rgb);

// CMYK [n, 4] as Adobe stores it (255 is no ink) to RGB [n, 3].
// Equals Pillow's reading of such a JPEG, converted to "RGB".
void InvertedCmykToRgb(std::span<const uint8_t> cmyk, std::span<uint8_t> rgb);

}  // namespace vggt
