// SPDX-License-Identifier: Apache-2.0
// A recipe as a file: a figure, or its numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/parallel.h"
#include "figure/draw_figure.h"
#include "figure/recipe_plan.h"

namespace vggt {

// Whether there are such files of recipes: "png", "svg", "pdf", "csv" or "npy".
bool IsRecipeFormat(std::string_view extension);

// The bytes of a figure. `creator`: the program that writes it, "vggt-attn 0.1.0". Throws like
// RecipeMaps, MakeFigure and DrawFigure.
std::vector<uint8_t> DrawRecipe(const RecipePlan& plan, FigureFormat format,
                                const std::string& creator, const StopCheck& stop_check = {});

// Writes what the name of `path` ends in, whole or not at all. Throws like DrawRecipe and the
// writers of figure/table.h, and Error if it ends in none of these, exists and may not be replaced
// (before anything is computed), or cannot be written.
void WriteRecipeFile(const RecipePlan& plan, const std::filesystem::path& path,
                     const AtomicOptions& options, const std::string& creator,
                     const StopCheck& stop_check = {});

}  // namespace vggt
