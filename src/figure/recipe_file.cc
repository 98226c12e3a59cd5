// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_file.h"

#include <optional>

#include "core/error.h"
#include "figure/recipe_figure.h"
#include "figure/recipe_maps.h"
#include "figure/table.h"

namespace vggt {
namespace {

// Of a file's name, without its dot.
std::string ExtensionOf(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return extension.empty() ? "" : extension.substr(1);
}

bool IsTable(std::string_view extension) { return extension == "csv" || extension == "npy"; }

}  // namespace

bool IsRecipeFormat(std::string_view extension) {
  return IsTable(extension) || FigureFormatNamed(extension).has_value();
}

std::vector<uint8_t> DrawRecipe(const RecipePlan& plan, FigureFormat format,
                                const std::string& creator, const StopCheck& stop_check) {
  return DrawFigure(MakeFigure(plan, RecipeMaps(plan, stop_check), creator), format, stop_check);
}

void WriteRecipeFile(const RecipePlan& plan, const std::filesystem::path& path,
                     const AtomicOptions& options, const std::string& creator,
                     const StopCheck& stop_check) {
  const std::string extension = ExtensionOf(path);
  std::error_code unknown;
  if (options.existing == Existing::kRefuse && std::filesystem::exists(path, unknown)) {
    throw Error("exists already", path.string(), "Use `overwrite` to replace it.");
  }
  if (const std::optional<FigureFormat> format = FigureFormatNamed(extension)) {
    const std::vector<uint8_t> bytes = DrawRecipe(plan, *format, creator, stop_check);
    return WriteFileAtomic(path, Bytes(bytes), options);
  }
  if (!IsTable(extension)) {
    throw Error("ends in none of .png, .svg, .pdf, .csv, .npy", path.string());
  }
  AtomicFile file(path, options);
  const auto write = [&](std::string_view piece) {
    file.Write({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
  };
  extension == "csv" ? WriteTableCsv(plan, write, stop_check)
                     : WriteTableNpy(plan, write, stop_check);
  file.Commit();
}

}  // namespace vggt
