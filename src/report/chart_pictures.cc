// SPDX-License-Identifier: Apache-2.0
#include "report/chart_pictures.h"

#include "core/error.h"
#include "figure/figure_pictures.h"

namespace vggt {
namespace {

constexpr double kPictureWidth = 700;  // pixels: a third of a page at 300 dpi

}  // namespace

ChartPicture PictureOf(const Export& source, size_t frame) {
  ChartPicture made;
  made.grid = source.frames.token_grid(0);
  FigureFrame drawn;
  if (frame < source.frames.transforms.size()) {
    drawn.transform = source.frames.transforms[frame];
    made.transform = *drawn.transform;
  }
  try {
    drawn.picture = source.ImagePath(frame);
    made.picture = LoadPicture(drawn, kPictureWidth, true);
  } catch (const Error&) {
    // A report is about numbers: it is made without pictures, too.
  }
  return made;
}

}  // namespace vggt
