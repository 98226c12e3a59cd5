// SPDX-License-Identifier: Apache-2.0
// Numbers as colours.
#pragma once

#include <array>
#include <cstdint>

namespace vggt {

using Rgb = std::array<uint8_t, 3>;

// "jet" of MATLAB and matplotlib (piecewise linear, from dark blue over green to dark red) at
// `share` of its length; shares outside [0, 1] count as the nearer end.
Rgb JetColour(float share);

}  // namespace vggt
