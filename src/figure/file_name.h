// SPDX-License-Identifier: Apache-2.0
// What files that are made of recipes are called.
#pragma once

#include <string>

#include "figure/recipe_plan.h"

namespace vggt {

// "kitchen_layer12_head3_row10_col18_model.png". Two recipes have different
// names if they differ in scene, B, comparison, layer, head, reduction,
// queries, target frame, chosen frames, definition, block, RoPE or direction:
// where the words alone would not tell (they are too long, or a name has
// characters that are replaced), eight digits behind them follow from what they
// stand for.
//
// Letters and digits of any script and ._- alone, the first no point or hyphen;
// well-formed UTF-8 of at most 180 bytes. `extension` is without its point.
std::string RecipeFileName(const RecipePlan& plan, const std::string& extension);

}  // namespace vggt
