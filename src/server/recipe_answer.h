// SPDX-License-Identifier: Apache-2.0
// Files that are made of recipes: the exports that a recipe in an address names, and the answers.
#pragma once

#include <memory>
#include <string>

#include "figure/recipe_plan.h"
#include "server/export_catalog.h"
#include "server/message.h"

namespace vggt {

// A recipe held against the open exports that it names.
class OpenedRecipe {
 public:
  // `a`: the export that the request is about, which must outlive this; the recipe need not name
  // it. B is opened if the recipe names one. Throws RequestError, and Refusal like
  // ExportCatalog::Get.
  OpenedRecipe(const RequestParams& params, const OpenedExport& a, ExportCatalog& catalog);
  OpenedRecipe(const OpenedRecipe&) = delete;
  OpenedRecipe& operator=(const OpenedRecipe&) = delete;

  const RecipePlan& plan() const { return plan_; }
  const OpenedExport* b() const { return b_.get(); }  // null if the recipe names none

 private:
  std::shared_ptr<const OpenedExport> b_;
  RecipePlan plan_;
};

// An answer that browsers save as a file: the name is that of the recipe (figure/file_name.h), in
// ASCII for those that understand no other.
Response SavedFileResponse(std::string body, const std::string& content_type,
                           const std::string& name);

// /api/recipe.json: the recipe as a file that `vggt-attn figure` reads, in which exports are known
// by their paths on this machine.
Response RecipeResponse(const RecipePlan& plan, const OpenedExport& a, const OpenedExport* b);

// /api/figure.EXTENSION: "png", "svg" or "pdf". Throws like RecipeMaps and DrawFigure.
Response FigureResponse(const RecipePlan& plan, const std::string& extension,
                        const StopCheck& stop_check);

}  // namespace vggt
