// SPDX-License-Identifier: Apache-2.0
// Where one patch looks: rows of the attention matrix over the pictures.
#pragma once

#include <cstdint>

#include "report/sections.h"

namespace vggt {

struct QueryPatch {
  int64_t row = 0, col = 0;  // of the grid
};

// The patch that is asked about: of the middle half of the grid (rows and columns from a quarter to
// three quarters), the one whose brightness varies most (the largest standard deviation), because
// it can be found again in other pictures; the nearest to the middle of equal ones. The middle
// patch if the picture has no pixels, or the model saw none of that part.
QueryPatch ChooseQueryPatch(const ChartPicture& picture);

// Charts "query_layers" (layers × pictures, mean over heads after the softmax) and "query_heads"
// (heads × pictures of the layer that looks most sharply at other pictures), each with one scale
// for all its maps, in units of uniform attention. Tables of the same names: for each map its
// largest value and its mass; array "maps". With the preset "seed" or "fastvggt" there is one chart
// and one table, "query_seed" or "query_fastvggt", whose values follow that definition. Throws
// Error like AttentionRows.
Section QuerySection(const SectionInput& input);

}  // namespace vggt
