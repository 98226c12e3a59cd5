// SPDX-License-Identifier: Apache-2.0
// What a user should know about the pictures that were chosen, a line each; "" if nothing. Options
// are named as in errors (core/error.h).
#pragma once

#include <string>
#include <vector>

#include "image/frames.h"

namespace vggt {

// What else lies in the folder, and how it is taken.
std::string LeftOutNote(const LeftOut& left_out);

// That VGGT ignores how cameras were held; an EXIF orientation for each picture.
std::string RotationNote(const std::vector<int>& orientations);

// That the order of names' bytes is not that of their numbers.
std::string OrderNote(const OrderDifference& difference);

}  // namespace vggt
