// SPDX-License-Identifier: Apache-2.0
// What files that are made of recipes are called.
#pragma once

#include <string>

#include "figure/recipe_plan.h"

namespace vggt {

// "kitchen_layer12_head3_row10_col18.png"; `extension` is without its point. Recipes that differ in
// their exports' names, layers, heads, queries, target frame or in what the numbers are have
// different names. Letters of all scripts stay as they are; whatever else could mean something to a
// shell or a file system becomes "_". At most 200 bytes.
std::string RecipeFileName(const RecipePlan& plan, const std::string& extension);

}  // namespace vggt
