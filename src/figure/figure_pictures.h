// SPDX-License-Identifier: Apache-2.0
// The pictures of a figure, as they are drawn: upright, and no larger than they need to be.
#pragma once

#include "figure/figure.h"
#include "render/canvas.h"

namespace vggt {

// `frame` with its size filled in from the picture's file, if it has neither transform nor size.
// Throws Error if the file cannot be read.
FigureFrame WithSize(FigureFrame frame);

// The picture of `frame`, which has a file, to be drawn `width` pixels wide. `as_jpeg`: with bytes
// for SVG and PDF. These are the file's own, without what they say of camera and place, if it
// is an upright JPEG and not much larger than needed. Throws Error naming the file if it is
// missing, damaged or not a picture.
CanvasPicture LoadPicture(const FigureFrame& frame, double width, bool as_jpeg);

}  // namespace vggt
