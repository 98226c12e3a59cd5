// SPDX-License-Identifier: Apache-2.0
#include "image/capabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "image/avif_codec.h"
#include "image/gif_codec.h"
#include "image/heif_codec.h"
#include "image/tiff_codec.h"
#include "image/video.h"

namespace vggt {

std::span<const Capability> Capabilities() {
  static const Capability kCapabilities[] = {
      {"PNG", "libpng", "libpng-dev", true},
      {"JPEG", "libjpeg", "libjpeg-dev", true},
      {"WebP", "libwebp", "libwebp-dev", true},
      {"HEIC", "libheif", "libheif-dev", kReadsHeif},
      {"AVIF", "libavif", "libavif-dev", kReadsAvif},
      {"TIFF", "libtiff", "libtiff-dev", kReadsTiff},
      {"BMP", "", "", true},
      {"GIF", "giflib", "libgif-dev", kReadsGif},
      {"videos", "FFmpeg", "libavformat-dev libswscale-dev", ReadsVideo()},
  };
  return kCapabilities;
}

std::string CapabilitiesText(std::span<const Capability> capabilities) {
  std::vector<std::string_view> present, missing;
  for (const Capability& c : capabilities) (c.present ? present : missing).push_back(c.format);
  std::string text = fmt::format("reads {}", fmt::join(present, ", "));
  if (!missing.empty()) text += fmt::format("; not {}", fmt::join(missing, ", "));
  return text;
}

void RefuseMissing(const Capability& capability, const std::string& name) {
  throw Error(
      fmt::format("this build cannot read {} ({} was missing when it was built)", capability.format,
                  capability.library),
      name,
      fmt::format("Convert it to PNG or JPEG, or install {} and build again.", capability.package));
}

void RefuseMissing(std::string_view format, const std::string& name) {
  RefuseMissing(*std::ranges::find(Capabilities(), format, &Capability::format), name);
}

}  // namespace vggt
