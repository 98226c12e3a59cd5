// SPDX-License-Identifier: Apache-2.0
// The pictures of an export, ready to be drawn in charts.
#pragma once

#include <cstddef>

#include "report/chart.h"
#include "store/export/export_reader.h"

namespace vggt {

// A frame's picture, upright, at most about 700 pixels wide. It has no pixels if its file is
// missing or cannot be read. `frame` is less than source.frames.frames.
ChartPicture PictureOf(const Export& source, size_t frame);

}  // namespace vggt
