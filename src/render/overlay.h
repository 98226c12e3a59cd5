// SPDX-License-Identifier: Apache-2.0
// Pictures with maps over them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"

namespace vggt {

// A map of patches, row by row, and how it is coloured.
struct OverlayMap {
  std::span<const float> values;  // [rows, columns]; NaN shows nothing
  int64_t rows = 0, columns = 0;
  float first = 0, last = 1;  // the values of the first and the last colour; beyond them, the same
  float opacity = 0.6F;       // of the last colour; the first is transparent
  std::vector<int64_t> outlined;  // cells that get a frame, as row · columns + column
};

// `original`, as stored in its file, turned as the model saw it and `width` pixels wide, its map
// over it: where the model saw it, as `transform` says; without one the map is stretched over the
// whole picture. What the model did not see is dimmed.
Picture OverlayTile(const Picture& original, const std::optional<FrameTransform>& transform,
                    const OverlayMap& map, int width);

// Tiles row by row, `columns` in a row, on white, `gap` pixels apart. A row is as high as its
// highest tile. Throws Error if the whole is too large for a picture.
Picture Mosaic(const std::vector<Picture>& tiles, int columns, int gap);

}  // namespace vggt
