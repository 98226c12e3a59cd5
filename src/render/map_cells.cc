// SPDX-License-Identifier: Apache-2.0
#include "render/map_cells.h"

#include <algorithm>
#include <cmath>

namespace vggt {
namespace {

// RGBA of a position from 0 to 1.
void Paint(double position, const CellColours& colours, uint8_t* rgba) {
  if (std::isnan(position)) {
    std::fill_n(rgba, 4, uint8_t{0});
    return;
  }
  double strength;
  if (colours.diverging) {
    const double side = 2 * position - 1;
    strength = std::pow(std::abs(side), colours.gamma);
    position = (1 + std::copysign(strength, side)) / 2;
  } else {
    position = strength = std::pow(position, colours.gamma);
  }
  const Rgb colour = ColourAt(colours.colormap, position);
  std::copy(colour.begin(), colour.end(), rgba);
  rgba[3] = colours.opaque ? 255
                           : static_cast<uint8_t>(std::lround(
                                 std::clamp(strength * colours.opacity, 0.0, 1.0) * 255));
}

// The value at a place between the middles of cells, in cells.
float Between(std::span<const float> values, int64_t rows, int64_t cols, double row, double col) {
  row = std::clamp(row, 0.0, static_cast<double>(rows - 1));
  col = std::clamp(col, 0.0, static_cast<double>(cols - 1));
  const auto top = static_cast<int64_t>(row), left = static_cast<int64_t>(col);
  const int64_t bottom = std::min(top + 1, rows - 1), right = std::min(left + 1, cols - 1);
  const double down = row - static_cast<double>(top), across = col - static_cast<double>(left);
  const auto at = [&](int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; };
  // The cell that the place lies in decides whether there is anything.
  const float nearest = at(down < 0.5 ? top : bottom, across < 0.5 ? left : right);
  if (std::isnan(nearest)) return nearest;
  const auto number = [&](int64_t r, int64_t c) {
    const float value = at(r, c);
    return std::isnan(value) ? nearest : value;
  };
  const auto mix = [&](int64_t r) {
    return number(r, left) + (number(r, right) - number(r, left)) * across;
  };
  return static_cast<float>(mix(top) + (mix(bottom) - mix(top)) * down);
}

}  // namespace

CanvasCells CellsOf(std::span<const float> values, int64_t rows, int64_t cols,
                    const CellColours& colours, int enlarged, bool smooth) {
  CanvasCells cells;
  cells.width = static_cast<int>(cols * enlarged);
  cells.height = static_cast<int>(rows * enlarged);
  cells.rgba.resize(size_t{4} * cells.width * cells.height);
  uint8_t* rgba = cells.rgba.data();
  for (int y = 0; y < cells.height; ++y) {
    for (int x = 0; x < cells.width; ++x, rgba += 4) {
      const float value = smooth ? Between(values, rows, cols, (y + 0.5) / enlarged - 0.5,
                                           (x + 0.5) / enlarged - 0.5)
                                 : values[static_cast<size_t>(y / enlarged * cols + x / enlarged)];
      if (!smooth && x % enlarged > 0) {
        std::copy_n(rgba - 4, 4, rgba);
      } else {
        // Where all differences are nothing, each has the colour of the middle.
        const bool nothing = colours.diverging && !(colours.range.high > colours.range.low);
        const double position = PositionOf(value, colours.range);
        Paint(nothing && !std::isnan(position) ? 0.5 : position, colours, rgba);
      }
    }
  }
  return cells;
}

}  // namespace vggt
