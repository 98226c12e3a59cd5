// SPDX-License-Identifier: Apache-2.0
// The file type box (ISO base media file format, ISO/IEC 14496-12, 4.3), with which HEIC, AVIF and
// most videos begin.
#pragma once

#include <string_view>
#include <vector>

#include "core/file.h"

namespace vggt {

// The file's brands, four bytes each, the major brand first; none if the file does not begin with
// this box. If the box is cut off, the brands before the cut. They point into `file`.
std::vector<std::string_view> FileTypeBrands(Bytes file);

}  // namespace vggt
