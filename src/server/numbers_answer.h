// SPDX-License-Identifier: Apache-2.0
// The numbers of a recipe, as a file that browsers save.
#pragma once

#include <string>

#include "figure/recipe_plan.h"
#include "server/message.h"

namespace vggt {

// Lines of CSV are of any length: the name of a set of patches is in each.
inline constexpr size_t kMostCsvBytes = size_t{256} << 20;

// /api/numbers.EXTENSION: "csv" or "npy". Throws Refusal (400) for more than one answer holds; else
// like WriteTableCsv, WriteTableNpy and TableShape (figure/table.h).
Response NumbersResponse(const RecipePlan& plan, const std::string& extension,
                         const StopCheck& stop_check, size_t most_csv_bytes = kMostCsvBytes);

}  // namespace vggt
