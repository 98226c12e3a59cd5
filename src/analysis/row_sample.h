// SPDX-License-Identifier: Apache-2.0
// Which rows of the attention matrix numbers are taken of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/token_grid.h"

namespace vggt {

// The same patches of every frame. Special tokens are not part of it.
struct RowSample {
  std::vector<int64_t> patches;  // places among a frame's patches, ascending, each once
  bool all = false;              // they are all there are

  bool operator==(const RowSample&) const = default;
};

RowSample AllRows(const TokenGrid& grid);

// `per_frame` patches (at least 1), or all if there are no more: those that hold the first points
// of a sequence that fills the plane evenly, however many are taken (Roberts, The Unreasonable
// Effectiveness of Quasirandom Sequences, 2018). Fewer are a part of more.
RowSample SampledRows(const TokenGrid& grid, int64_t per_frame);

// The sampled patches of all frames as places in the sequence of all tokens, ascending.
std::vector<int64_t> PatchRows(const RowSample& sample, const TokenGrid& grid);

// "all 1,848 patches of 6 pictures", "64 of 308 patches of each of 6 pictures, evenly spaced".
std::string SampleText(const RowSample& sample, const TokenGrid& grid);

}  // namespace vggt
