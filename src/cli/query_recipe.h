// SPDX-License-Identifier: Apache-2.0
// A query of the command line in the words of recipes, so that the command line draws the figures
// that the page saves.
#pragma once

#include <string>

#include "attention/request.h"
#include "figure/recipe.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// The place that is asked for: a special token, a patch or a rectangle of patches.
Spot SpotOf(const AttentionRequest& request, const QkDescription& d, const QkBlocks& blocks);

// The recipe of `request`, which is one of the store `d` and complete (WithDefaults): its pictures;
// of all layers or all heads these side by side; of all of both, which is of one picture alone, a
// matrix. Throws WrongUsage for what no figure shows: some of the layers or heads.
Recipe RecipeOf(const AttentionRequest& request, const QkDescription& d, const std::string& path);

}  // namespace vggt
