// SPDX-License-Identifier: Apache-2.0
#include "server/recipe_answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "figure/file_name.h"
#include "figure/recipe_file.h"
#include "server/export_json.h"

namespace vggt {
namespace {

RecipeSource SourceOf(const OpenedExport& opened) {
  return {opened.described, opened.maps, opened.rows.get(), opened.name};
}

const char* ContentTypeOf(FigureFormat format) {
  switch (format) {
    case FigureFormat::kPng:
      return "image/png";
    case FigureFormat::kSvg:
      return "image/svg+xml";
    case FigureFormat::kPdf:
      break;
  }
  return "application/pdf";
}

}  // namespace

OpenedRecipe::OpenedRecipe(const RequestParams& params, const OpenedExport& a,
                           ExportCatalog& catalog) {
  RecipeWords words = params;
  const bool named = std::any_of(words.begin(), words.end(),
                                 [](const auto& word) { return word.first == "export"; });
  if (!named) words.emplace_back("export", a.id);
  const Recipe recipe = ReadRecipe(words);
  if (recipe.other) b_ = catalog.Get(*recipe.other);
  const RecipeSource source = SourceOf(a);
  if (b_) {
    const RecipeSource other = SourceOf(*b_);
    plan_ = PlanRecipe(recipe, source, &other);
  } else {
    plan_ = PlanRecipe(recipe, source);
  }
}

Response SavedFileResponse(std::string body, const std::string& content_type,
                           const std::string& name) {
  std::string ascii = name;
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x7F || c < ' ' || c == '"' || c == '\\') c = '_';
  }
  return {200,
          content_type,
          std::move(body),
          {{"Cache-Control", "no-store"},
           {"Content-Disposition", fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}",
                                               ascii, PercentEncoded(name))}}};
}

Response RecipeResponse(const RecipePlan& plan, const OpenedExport& a, const OpenedExport* b) {
  Recipe recipe = plan.recipe;
  recipe.export_id = a.path;
  if (b != nullptr) recipe.other = b->path;
  return SavedFileResponse(RecipeJsonText(WriteRecipe(recipe)), "application/json",
                           RecipeFileName(plan, "recipe.json"));
}

Response FigureResponse(const RecipePlan& plan, const std::string& extension,
                        const StopCheck& stop_check) {
  const std::optional<FigureFormat> format = FigureFormatNamed(extension);
  if (!format) throw Refusal(404, "there is no such kind of figure", extension);
  const std::vector<uint8_t> bytes =
      DrawRecipe(plan, *format, "vggt-attn " VGGT_VERSION, stop_check);
  return SavedFileResponse({bytes.begin(), bytes.end()}, ContentTypeOf(*format),
                           RecipeFileName(plan, extension));
}

}  // namespace vggt
