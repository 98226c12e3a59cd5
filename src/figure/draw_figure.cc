// SPDX-License-Identifier: Apache-2.0
#include "figure/draw_figure.h"

#include <algorithm>
#include <optional>

#include "figure/figure_pictures.h"
#include "figure/layout.h"

namespace vggt {
namespace {

// Of pictures in files whose pages have no pixels.
constexpr double kPictureDpi = 300;

}  // namespace

std::optional<FigureFormat> FigureFormatNamed(std::string_view extension) {
  if (extension == "png") return FigureFormat::kPng;
  if (extension == "svg") return FigureFormat::kSvg;
  if (extension == "pdf") return FigureFormat::kPdf;
  return std::nullopt;
}

CanvasKind CanvasKindOf(FigureFormat format) {
  switch (format) {
    case FigureFormat::kPng:
      return CanvasKind::kPng;
    case FigureFormat::kSvg:
      return CanvasKind::kSvg;
    case FigureFormat::kPdf:
      break;
  }
  return CanvasKind::kPdf;
}

std::vector<uint8_t> DrawFigure(const Figure& figure, FigureFormat format,
                                const StopCheck& stop_check) {
  CheckFigure(figure);
  std::vector<FrameGeometry> geometries;
  for (const FigureFrame& frame : figure.frames) {
    CheckStop(stop_check);
    geometries.emplace_back(WithSize(frame));
  }
  const Typesetter typesetter;
  const Sheet sheet = LayOut(figure, geometries, typesetter);
  const CanvasKind kind = CanvasKindOf(format);
  const double dpi = kind == CanvasKind::kPng ? figure.dpi : kPictureDpi;
  Canvas canvas(kind, sheet.width, sheet.height, dpi,
                {figure.title, figure.creator, figure.recipe});
  std::vector<CanvasPicture> pictures(figure.frames.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    CheckStop(stop_check);
    if (sheet.picture_widths[i] > 0) {
      pictures[i] = LoadPicture(figure.frames[i], sheet.picture_widths[i] / 72 * dpi,
                                kind != CanvasKind::kPng);
    }
  }
  const DrawingTools tools{canvas, kind, dpi, pictures};
  for (const auto& draw : sheet.draws) {
    CheckStop(stop_check);
    draw(tools);
  }
  return canvas.Finish();
}

}  // namespace vggt
