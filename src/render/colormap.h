// SPDX-License-Identifier: Apache-2.0
// Colour maps: numbers become colours.
#pragma once

#include <array>
#include <cstdint>

namespace vggt {

using Rgb = std::array<uint8_t, 3>;

// The colour at `share` of the length of "jet", the colour map of MATLAB and matplotlib: piecewise
// linear, from dark blue over green to dark red. A share outside [0, 1] counts as the nearer end.
Rgb JetColour(float share);

}  // namespace vggt
