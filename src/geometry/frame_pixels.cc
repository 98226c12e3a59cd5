// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_pixels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

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
      const auto x = static_cast<int>(std::clamp(at.x, 0.0, picture.width - 1.0));
      const auto y = static_cast<int>(std::clamp(at.y, 0.0, picture.height - 1.0));
      std::copy_n(picture.rgb.data() + size_t{3} * (static_cast<size_t>(y) * picture.width + x), 3,
                  out);
    }
  }
}

namespace {

// Of all frames together: more than any export that was made, less than what a hostile one may
// claim.
constexpr size_t kMostFramePixels = size_t{1} << 30;

}  // namespace

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
  if (bytes / 3 > kMostFramePixels / frames.transforms.size()) {
    throw Error(fmt::format("{} frames of {} x {} pixels are more than fits here",
                            frames.transforms.size(), first.model_width, first.model_height),
                picture_of(0).parent_path().string());
  }
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
