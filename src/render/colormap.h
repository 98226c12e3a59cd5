// SPDX-License-Identifier: Apache-2.0
// Colour maps: numbers become colours.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vggt {

using Rgb = std::array<uint8_t, 3>;

// The tables are matplotlib's, but for grey, which goes from black to white evenly. kCoolwarm is
// for differences: blue below, light grey in the middle, red above.
enum class Colormap { kJet, kTurbo, kViridis, kMagma, kInferno, kGrey, kCoolwarm };

// "jet", "turbo", … in the order of the enumeration.
std::string_view NameOf(Colormap colormap);
// By name; nothing if there is none of that name.
std::optional<Colormap> ColormapNamed(std::string_view name);
// Those that people choose from: all but kCoolwarm.
std::span<const Colormap> ChoosableColormaps();

// 256 colours, from the first to the last.
std::span<const Rgb, 256> TableOf(Colormap colormap);
// The colour at `position`, of which [0, 1] is the whole colour map; outside counts as the nearer
// end.
Rgb ColourAt(Colormap colormap, double position);

// Which values the colours from the first to the last stand for.
struct ColourRange {
  double low = 0, high = 1;
  bool log = false;  // logarithmic, over the four powers of ten below `high`; `low` does not count
};

// Where between the first colour (0) and the last (1) a value lies: NaN of NaN; 0 if the range is
// empty.
double PositionOf(double value, const ColourRange& range);
// The value at a position: the inverse.
double ValueAt(double position, const ColourRange& range);

}  // namespace vggt
