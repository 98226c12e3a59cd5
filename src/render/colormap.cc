// SPDX-License-Identifier: Apache-2.0
#include "render/colormap.h"

#include <algorithm>
#include <cmath>

#include "render/colormap_tables.h"

namespace vggt {
namespace {

constexpr double kDecades = 4;

using Table = std::array<Rgb, 256>;

constexpr Table Unpacked(const uint32_t (&words)[256]) {
  Table table{};
  for (size_t i = 0; i < 256; ++i) {
    table[i] = {static_cast<uint8_t>(words[i] >> 16), static_cast<uint8_t>(words[i] >> 8 & 255),
                static_cast<uint8_t>(words[i] & 255)};
  }
  return table;
}

constexpr Table Greys() {
  Table table{};
  for (size_t i = 0; i < 256; ++i) table[i].fill(static_cast<uint8_t>(i));
  return table;
}

struct Entry {
  std::string_view name;
  Table table;
};

// In the order of the enumeration.
constexpr Entry kEntries[] = {
    {"jet", Unpacked(kJetTable)},          {"turbo", Unpacked(kTurboTable)},
    {"viridis", Unpacked(kViridisTable)},  {"magma", Unpacked(kMagmaTable)},
    {"inferno", Unpacked(kInfernoTable)},  {"grey", Greys()},
    {"coolwarm", Unpacked(kCoolwarmTable)}};

constexpr Colormap kChoosable[] = {Colormap::kJet,   Colormap::kTurbo,   Colormap::kViridis,
                                   Colormap::kMagma, Colormap::kInferno, Colormap::kGrey};

}  // namespace

std::string_view NameOf(Colormap colormap) { return kEntries[static_cast<size_t>(colormap)].name; }

std::optional<Colormap> ColormapNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    if (kEntries[i].name == name) return static_cast<Colormap>(i);
  }
  return std::nullopt;
}

std::span<const Colormap> ChoosableColormaps() { return kChoosable; }

std::span<const Rgb, 256> TableOf(Colormap colormap) {
  return kEntries[static_cast<size_t>(colormap)].table;
}

Rgb ColourAt(Colormap colormap, double position) {
  // As matplotlib and the page choose it: i / 255 gives colour i.
  const double place = std::clamp(std::floor(position * 256), 0.0, 255.0);
  return TableOf(colormap)[std::isnan(place) ? 0 : static_cast<size_t>(place)];
}

double PositionOf(double value, const ColourRange& range) {
  const auto& [low, high, log] = range;
  if (std::isnan(value)) return value;
  // A range with an end that is no number is empty, too.
  if (!(high > (log ? 0 : low))) return 0;
  const double at = log ? 1 + std::log10(value / high) / kDecades : (value - low) / (high - low);
  return at > 0 ? std::min(at, 1.0) : 0;
}

double ValueAt(double position, const ColourRange& range) {
  return range.log ? range.high * std::pow(10, kDecades * (position - 1))
                   : range.low + position * (range.high - range.low);
}

}  // namespace vggt
