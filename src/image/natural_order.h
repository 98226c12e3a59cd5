// SPDX-License-Identifier: Apache-2.0
// The order of names in which numbers count by their value: frame_2 comes before frame_10.
#pragma once

#include <string_view>

namespace vggt {

// Whether `a` comes before `b`. Runs of the digits 0 … 9 compare as numbers of any length,
// everything else byte by byte. Names that are equal by this rule, such as those that differ in
// leading zeros, compare by their bytes: of two different names exactly one comes first.
bool ComesNaturallyBefore(std::string_view a, std::string_view b);

}  // namespace vggt
