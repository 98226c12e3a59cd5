// SPDX-License-Identifier: Apache-2.0
// A spot is the place that attention is asked for, as links and recipes write it: a patch, a
// rectangle or a set of patches, or a special token, of one frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vggt {

// A cell of the map grid: a patch, unless stored maps have strides.
struct GridCell {
  int64_t row = 0, col = 0;

  bool operator==(const GridCell&) const = default;
};

// At most one of `to`, `more` and `token` is given; none: the cell alone.
struct Spot {
  int64_t frame = 0;
  GridCell cell;               // of a token: where the hand was, which means nothing
  std::optional<GridCell> to;  // the rectangle from the cell to this one, its last row and column
  std::vector<GridCell> more;  // the cell and these
  std::string token;           // this special token of the frame

  bool is_cell() const { return !to && more.empty() && token.empty(); }
  bool operator==(const Spot&) const = default;
};

// The most cells of a set, and the most spots that are compared.
inline constexpr size_t kMostSpotCells = 256;
inline constexpr size_t kMostSpots = 4;

// "12.18" is the cell in row 12 and column 18; "12.18-14.20" a rectangle, whose corners may be
// given in either order; "12.18+3.4" a set; "12.18@camera" a special token. "2~12.18" is in frame
// 2. Throws RequestError (kMalformed) naming `field`.
Spot ParseSpot(const std::string& text, const std::string& field);
// Several, joined by "_", which names of tokens may hold as well.
std::vector<Spot> ParseSpots(const std::string& text, const std::string& field);

// The inverse.
std::string FormatSpot(const Spot& spot);
std::string FormatSpots(const std::vector<Spot>& spots);

// For people: "patch (3, 4)", "patches (3, 4) – (5, 6)", "3 patches", "camera token of frame 0".
// The frame stands there unless it is frame 0.
std::string SpotName(const Spot& spot);
// For names of files: "row10_col18", "frame2_rows3-5_cols4-6", "frame0_camera".
std::string SpotStem(const Spot& spot);

}  // namespace vggt
