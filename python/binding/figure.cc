// SPDX-License-Identifier: Apache-2.0
// Figures and their numbers, from recipes.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "attention/request_words.h"
#include "binding/binding.h"
#include "binding/opened_export.h"
#include "binding/unlocked.h"
#include "figure/recipe.h"
#include "figure/recipe_file.h"

namespace nb = nanobind;
namespace fs = std::filesystem;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

constexpr const char* kCreator = "vggt-attn " VGGT_VERSION;

// `words` name neither export.
RecipePlan PlanOf(const OpenedExport& e, const OpenedExport* other, RecipeWords words) {
  words.emplace_back("export", e.path().string());
  if (other == nullptr) return PlanRecipe(ReadRecipe(words), e.source());
  words.emplace_back("other", other->path().string());
  const RecipeSource b = other->source();
  return PlanRecipe(ReadRecipe(words), e.source(), &b);
}

nb::bytes Draw(const OpenedExport& e, const OpenedExport* other, const RecipeWords& words,
               const std::string& format) {
  const std::optional<FigureFormat> wanted = FigureFormatNamed(format);
  if (!wanted) {
    throw RequestError(RequestError::Kind::kMalformed, "format",
                       "'" + Printable(format) + "' is none of png, svg, pdf");
  }
  const std::vector<uint8_t> bytes = Unlocked([&](const StopCheck& stop_check) {
    return DrawRecipe(PlanOf(e, other, words), *wanted, kCreator, stop_check);
  });
  return nb::bytes(bytes.data(), bytes.size());
}

std::vector<int64_t> Write(const OpenedExport& e, const OpenedExport* other,
                           const RecipeWords& words, const fs::path& file, bool overwrite) {
  return Unlocked([&](const StopCheck& stop_check) {
    const RecipePlan plan = PlanOf(e, other, words);
    WriteRecipeFile(plan, file, {.existing = overwrite ? Existing::kReplace : Existing::kRefuse},
                    kCreator, stop_check);
    return LeftOutLayers(plan);
  });
}

}  // namespace

void BindFigure(nb::module_& module) {
  module.def("recipe_words", ParseRecipeJson, "text"_a, "source"_a,
             "The keys and values of a recipe's JSON.");
  module.def(
      "check_recipe",
      [](const OpenedExport& e, const OpenedExport* other, const RecipeWords& words) {
        PlanOf(e, other, words);
      },
      "export"_a, "other"_a.none(), "words"_a);
  module.def("draw_recipe", Draw, "export"_a, "other"_a.none(), "words"_a, "format"_a);
  module.def("write_recipe", Write, "export"_a, "other"_a.none(), "words"_a, "file"_a,
             "overwrite"_a, "Returns the layers that are left out because they cannot be read.");
}

}  // namespace vggt::python
