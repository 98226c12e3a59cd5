// SPDX-License-Identifier: Apache-2.0
// Draws figures: where everything stands on the page, and the file that comes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/parallel.h"
#include "figure/figure.h"
#include "render/canvas.h"

namespace vggt {

enum class FigureFormat { kPng, kSvg, kPdf };

// By what the name of a file ends in, "png", "svg" or "pdf"; nothing if it is another.
std::optional<FigureFormat> FigureFormatNamed(std::string_view extension);

// The kind of page that becomes such a file.
CanvasKind CanvasKindOf(FigureFormat format);

// The bytes of a file. The figure is as wide as it says and as high as it needs; letters are 6 to
// 10 points high. The same figure gives the same bytes. Throws Error if the figure cannot be drawn
// (CheckFigure), if a picture cannot be read, or if the figure would be higher than a file can say.
// Several threads may draw at once.
std::vector<uint8_t> DrawFigure(const Figure& figure, FigureFormat format,
                                const StopCheck& stop_check = {});

}  // namespace vggt
