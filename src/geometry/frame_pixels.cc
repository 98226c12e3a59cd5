// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_pixels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "core/error.h"

namespace vggt {

void FillFramePixels(const Picture& picture, const FrameTransform& transform,
                     const std::string& source, std::span<uint8_t> rgb) {
  if (picture.width != transform.original_width || picture.height != transform.original_height) {
    throw Error(fmt::format("has {} x {} pixels, but its export says {} x {}", picture.width,
                            picture.height, transform.original_width, transform.original_height),
                source);
  }
  std::fill(rgb.begin(), rgb.end(), uint8_t{255});
  uint8_t* out = rgb.data();
  for (int row = 0; row < transform.model_height; ++row) {
    for (int column = 0; column < transform.model_width; ++column, out += 3) {
      const Point centre = {column + 0.5, row + 0.5};
      if (!ShowsOriginal(transform, centre)) continue;
      const Point at = OriginalFromModel(transform, centre);
      const int x = std::clamp(static_cast<int>(at.x), 0, picture.width - 1);
      const int y = std::clamp(static_cast<int>(at.y), 0, picture.height - 1);
      std::copy_n(picture.rgb.data() + size_t{3} * (static_cast<size_t>(y) * picture.width + x), 3,
                  out);
    }
  }
}

}  // namespace vggt
