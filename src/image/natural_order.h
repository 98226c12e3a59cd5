// SPDX-License-Identifier: Apache-2.0
// The order in which people count: frame_2 before frame_10.
#pragma once

#include <string_view>

namespace vggt {

// Whether `a` comes before `b`: runs of the digits 0 … 9 compare as numbers of any length, all else
// byte by byte; names that are equal so far, as with leading zeros, compare by their bytes. A total
// order: of two different names exactly one comes first.
bool ComesNaturallyBefore(std::string_view a, std::string_view b);

}  // namespace vggt
