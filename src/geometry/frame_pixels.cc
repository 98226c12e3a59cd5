// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_pixels.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "image/codec.h"

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

void CheckEqualSizes(const FrameList& frames, const std::string& source) {
  for (const FrameTransform& t : frames.transforms) {
    const FrameTransform& first = frames.transforms[0];
    if (t.model_width == first.model_width && t.model_height == first.model_height) continue;
    throw Error("frames of the export have different sizes", source);
  }
}

std::vector<uint8_t> ReadFramePixels(
    const FrameList& frames, const std::function<std::filesystem::path(size_t frame)>& picture_of,
    const StopCheck& stop_check) {
  const FrameTransform& first = frames.transforms.at(0);
  const auto bytes =
      size_t{3} * static_cast<size_t>(first.model_width) * static_cast<size_t>(first.model_height);
  std::vector<uint8_t> rgb(bytes * frames.transforms.size());
  ParallelFor(frames.transforms.size(), 1, [&](size_t frame) {
    CheckStop(stop_check);
    const std::filesystem::path file = picture_of(frame);
    FillFramePixels(ReadPicture(file), frames.transforms[frame], file.string(),
                    std::span(rgb).subspan(frame * bytes, bytes));
  });
  return rgb;
}

}  // namespace vggt
