// SPDX-License-Identifier: Apache-2.0
// A recipe and its maps as a figure: titles, labels, marks, shares, colour bars and footer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "figure/figure.h"
#include "figure/recipe_maps.h"
#include "figure/recipe_plan.h"

namespace vggt {

// `creator`: the program that writes the file, "vggt-attn 0.1.0". Of `maps`, which are those of the
// plan, all values are taken over. A picture that is not there is left grey, and the footer says
// so. Throws OutsideRoot for a picture outside the root of its export.
//
// Nothing in a figure names the checkpoint's file, nor the folders in which the exports lie, so
// that it can go to a double-blind review. The recipe in it calls the exports by FolderNames.
Figure MakeFigure(const RecipePlan& plan, const RecipeMaps& maps, const std::string& creator);

// The cell of a map with the largest value, which a figure marks; nothing if no value is a number,
// or all are 0. Of several (stored maps are clipped) it is the one with the largest surroundings,
// and among equals the first. `step`: of stored maps what a level stands for, so that surroundings
// are equal if their levels are, as on the page; else 0.
std::optional<GridCell> BestCell(std::span<const float> map, int64_t cols, double step);

}  // namespace vggt
