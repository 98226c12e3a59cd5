// SPDX-License-Identifier: Apache-2.0
// Maps become coloured cells.
#pragma once

#include <cstdint>
#include <span>

#include "render/canvas.h"
#include "render/colormap.h"

namespace vggt {

// How values become colours and opacity.
struct CellColours {
  Colormap colormap = Colormap::kJet;
  ColourRange range;
  double gamma = 1;      // the exponent of positions between the first colour and the last
  double opacity = 0.6;  // of the last colour; the first is transparent, others are between
  bool opaque = false;   // all colours are
  // The middle is transparent instead, and opacity grows to both ends; gamma counts from the
  // middle.
  bool diverging = false;
};

// `values` [rows, cols] with `enlarged` pixels a side for each. NaN is transparent. If `smooth`,
// values between the middles of neighbours are interpolated (bilinearly; NaN counts as the nearest
// number and stays transparent).
CanvasCells CellsOf(std::span<const float> values, int64_t rows, int64_t cols,
                    const CellColours& colours, int enlarged = 1, bool smooth = false);

}  // namespace vggt
