// SPDX-License-Identifier: Apache-2.0
// Draws maps over pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"

namespace vggt {

// A map, one value for each patch, and how it is coloured.
struct OverlayMap {
  std::span<const float> values;  // [rows, columns]; NaN is not drawn
  int64_t rows = 0, columns = 0;
  float first = 0, last = 1;      // the values that get the first and the last colour of "jet"
  float opacity = 0.6F;           // of the last colour; the first colour is transparent
  std::vector<int64_t> outlined;  // patches that get an outline, as row · columns + column
};

// A picture `width` pixels wide with its map over it. `original` is the picture as stored in its
// file; it is turned as for the model. The map covers the part that the model saw (`transform`),
// and the rest is dimmed. Without `transform` the map covers the whole picture.
Picture OverlayTile(const Picture& original, const std::optional<FrameTransform>& transform,
                    const OverlayMap& map, int width);

// The tiles in rows of `columns`, `gap` pixels apart, on white. A row is as high as its highest
// tile, a column as wide as its widest. Throws Error if the result is too large for a picture.
Picture Mosaic(const std::vector<Picture>& tiles, int columns, int gap);

}  // namespace vggt
