// SPDX-License-Identifier: Apache-2.0
// The numbers of a recipe, as a file that browsers save.
#pragma once

#include <string>

#include "figure/recipe_plan.h"
#include "server/message.h"

namespace vggt {

// /api/numbers.EXTENSION: "csv" or "npy". A layer that the view shows but that cannot be read is
// not in it; the header X-Left-Out has the numbers of such layers. Throws Refusal (400) for more
// than one answer holds; else like WriteTableCsv, WriteTableNpy and TableShape (figure/table.h).
Response NumbersResponse(const RecipePlan& plan, const std::string& extension,
                         const StopCheck& stop_check);

}  // namespace vggt
