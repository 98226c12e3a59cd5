// SPDX-License-Identifier: Apache-2.0
#include "render/overlay.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "image/orientation.h"
#include "image/pil_resize.h"
#include "render/colormap.h"

namespace vggt {
namespace {

constexpr Rgb kOutline = {0, 255, 0};
constexpr float kDimmed = 0.35F;

FrameTransform Stretched(const Picture& picture) {
  return {.original_width = picture.width,
          .original_height = picture.height,
          .resized_width = picture.width,
          .resized_height = picture.height,
          .crop_top = 0,
          .crop_height = picture.height,
          .pad_top = 0,
          .pad_left = 0,
          .model_width = picture.width,
          .model_height = picture.height};
}

// The transform to the model from the picture after it was turned.
FrameTransform Upright(const FrameTransform& t) {
  FrameTransform upright = t;
  upright.original_width = t.turned_width();
  upright.original_height = t.turned_height();
  upright.orientation = 1;
  return upright;
}

// The index of the patch that shows a point of the original; -1 if the model did not see the point.
int64_t CellAt(const FrameTransform& t, const OverlayMap& map, Point original) {
  const Point model = ModelFromOriginal(t, original);
  if (model.x < 0 || model.y < 0 || model.x >= t.model_width || model.y >= t.model_height ||
      !ShowsOriginal(t, model)) {
    return -1;
  }
  const auto column = static_cast<int64_t>(model.x * static_cast<double>(map.columns) /
                                           static_cast<double>(t.model_width));
  const auto row = static_cast<int64_t>(model.y * static_cast<double>(map.rows) /
                                        static_cast<double>(t.model_height));
  return std::min(row, map.rows - 1) * map.columns + std::min(column, map.columns - 1);
}

void Blend(uint8_t* pixel, const Rgb& colour, float share) {
  for (int c = 0; c < 3; ++c) {
    const float mixed =
        static_cast<float>(pixel[c]) * (1 - share) + static_cast<float>(colour[c]) * share;
    pixel[c] = static_cast<uint8_t>(mixed + 0.5F);
  }
}

}  // namespace

Picture OverlayTile(const Picture& stored, const std::optional<FrameTransform>& transform,
                    const OverlayMap& map, int width) {
  FrameTransform t = transform.value_or(Stretched(stored));
  const Picture original = Turned(stored, t.orientation);
  // From here on, the turned picture is the original.
  t = Upright(t);
  const double scale = static_cast<double>(original.width) / width;
  const int height = std::max(1, static_cast<int>(std::lround(original.height / scale)));
  Picture tile = ResizeBicubic(original, width, height);
  std::vector<int64_t> cells(static_cast<size_t>(width) * height);
  // The file may have been replaced by one of another size since the transform was made.
  const double to_x = static_cast<double>(t.original_width) / width;
  const double to_y = static_cast<double>(t.original_height) / height;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      cells[static_cast<size_t>(y) * width + x] =
          CellAt(t, map, {(x + 0.5) * to_x, (y + 0.5) * to_y});
    }
  }
  const std::set<int64_t> outlined(map.outlined.begin(), map.outlined.end());
  const auto is_outlined = [&](int x, int y) {
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    return outlined.count(cells[static_cast<size_t>(y) * width + x]) > 0;
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const size_t i = static_cast<size_t>(y) * width + x;
      uint8_t* pixel = tile.rgb.data() + 3 * i;
      if (cells[i] < 0) {
        Blend(pixel, {0, 0, 0}, kDimmed);
        continue;
      }
      const float value = map.values[cells[i]];
      if (!std::isnan(value) && map.last > map.first) {
        const float share = std::clamp((value - map.first) / (map.last - map.first), 0.0F, 1.0F);
        Blend(pixel, ColourAt(Colormap::kJet, share), share * map.opacity);
      }
      const bool edge = is_outlined(x, y) && !(is_outlined(x - 1, y) && is_outlined(x + 1, y) &&
                                               is_outlined(x, y - 1) && is_outlined(x, y + 1));
      if (edge) Blend(pixel, kOutline, 1);
    }
  }
  return tile;
}

Picture Mosaic(const std::vector<Picture>& tiles, int columns, int gap) {
  std::vector<int> widths(columns, 0), heights;
  for (size_t i = 0; i < tiles.size(); ++i) {
    int& width = widths[i % columns];
    width = std::max(width, tiles[i].width);
    if (i % columns == 0) heights.push_back(0);
    heights.back() = std::max(heights.back(), tiles[i].height);
  }
  int64_t width = gap, height = gap;
  for (const int w : widths) width += w + gap;
  for (const int h : heights) height += h + gap;
  Picture whole = BlankPicture(width, height, "the figure");
  std::fill(whole.rgb.begin(), whole.rgb.end(), 255);
  int64_t y = gap;
  for (size_t row = 0; row < heights.size(); y += heights[row++] + gap) {
    int64_t x = gap;
    for (int column = 0; column < columns; x += widths[column++] + gap) {
      const size_t i = row * columns + column;
      if (i >= tiles.size()) break;
      for (int line = 0; line < tiles[i].height; ++line) {
        std::memcpy(whole.rgb.data() + 3 * ((y + line) * width + x),
                    tiles[i].rgb.data() + size_t{3} * line * tiles[i].width,
                    size_t{3} * tiles[i].width);
      }
    }
  }
  return whole;
}

}  // namespace vggt
