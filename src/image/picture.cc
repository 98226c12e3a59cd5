// SPDX-License-Identifier: Apache-2.0
#include "image/picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace vggt {
namespace {

// `value` / 255, rounded, for value in [0, 255 * 255 << bits]; drops `bits` fractional bits.
uint8_t DivideBy255(uint32_t value, int bits) {
  value += 128U << bits;
  return static_cast<uint8_t>(((value >> 8) + value) >> (8 + bits));
}

}  // namespace

void CheckPictureSize(int64_t width, int64_t height, const std::string& name) {
  if (width < 1 || height < 1 || width > kMostPixels / height) {
    throw Error(fmt::format("a picture of {} x {} pixels is refused", width, height), name,
                fmt::format("Pictures have 1 to {} million pixels.", kMostPixels / 1'000'000));
  }
}

Picture BlankPicture(int64_t width, int64_t height, const std::string& name) {
  CheckPictureSize(width, height, name);
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<uint8_t>(static_cast<size_t>(width * height) * 3)};
}

void CompositeOnWhite(std::span<const uint8_t> rgba, std::span<uint8_t> rgb) {
  constexpr int kBits = 7;
  for (size_t i = 0; i < rgb.size() / 3; ++i) {
    const uint32_t alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t blend = rgba[4 * i + c] * alpha + 255 * (255 - alpha);
      rgb[3 * i + c] = DivideBy255(blend << kBits, kBits);
    }
  }
}

void RgbOfRgba(std::span<const uint8_t> rgba, AlphaUse use, std::span<uint8_t> rgb) {
  if (use == AlphaUse::kOnWhite) return CompositeOnWhite(rgba, rgb);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = rgba[i / 3 * 4 + i % 3];
}

void Unpremultiply(std::span<uint8_t> rgba) {
  for (size_t i = 0; i < rgba.size(); i += 4) {
    const unsigned alpha = rgba[i + 3];
    for (size_t c = 0; c < 3; ++c) {
      const unsigned colour = alpha == 0 ? 0 : std::min(255U * rgba[i + c] / alpha, 255U);
      rgba[i + c] = static_cast<uint8_t>(colour);
    }
  }
}

void InvertedCmykToRgb(std::span<const uint8_t> cmyk, std::span<uint8_t> rgb) {
  for (size_t i = 0; i < rgb.size() / 3; ++i) {
    const uint32_t light = cmyk[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t ink = 255U - cmyk[4 * i + c];
      rgb[3 * i + c] = static_cast<uint8_t>(light - DivideBy255(ink * light, 0));
    }
  }
}

}  // namespace vggt
