// SPDX-License-Identifier: Apache-2.0
// The first box of files of the ISO base media format (ISO/IEC 14496-12, 4.3): what HEIC, AVIF and
// most videos begin with.
#pragma once

#include <string_view>
#include <vector>

#include "core/file.h"

namespace vggt {

// The file's brands, four bytes each, the major one first; none if it does not begin with such a
// box. They point into `file`. A box that is cut gives those that are there.
std::vector<std::string_view> FileTypeBrands(Bytes file);

}  // namespace vggt
