// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "attention/request_words.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/file.h"
#include "figure/recipe_file.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostRecipeBytes = 1 << 20;

struct FigureFlags {
  std::string recipe, output;
  bool overwrite = false;
};

std::string FigureName(const std::string& path) {
  if (IsRecipeFormat(ExtensionOf(path))) return "";
  return fmt::format("'{}' ends in none of .png, .svg, .pdf, .csv, .npy", Printable(path));
}

// Says of which file and key a problem with a recipe is.
template <typename Body>
auto AboutRecipe(const std::string& file, const Body& body) {
  try {
    return body();
  } catch (const RequestError& error) {
    throw Error(fmt::format("{}: {}", Printable(error.field()), error.problem()), file,
                error.hint());
  }
}

// Exports are named as seen from the recipe's folder.
fs::path ExportOf(const std::string& recipe, const std::string& path) {
  const fs::path whole = fs::path(recipe).parent_path() / path;
  NoteRecovery(whole);
  return whole;
}

int RunFigure(const FigureFlags& o) {
  CatchInterrupts();
  AboutRecipe(o.recipe, [&] {
    const Recipe recipe =
        ReadRecipe(ParseRecipeJson(ReadFile(o.recipe, kMostRecipeBytes), o.recipe));
    const RecipeExport a(ExportOf(o.recipe, recipe.export_id));
    const RecipeSource source = a.source();
    std::optional<RecipeExport> b;
    std::optional<RecipeSource> other;
    if (recipe.other) {
      b.emplace(ExportOf(o.recipe, *recipe.other));
      other.emplace(b->source());
    }
    const RecipePlan plan = PlanRecipe(recipe, source, other ? &*other : nullptr);
    WriteRecipeFile(plan, o.output,
                    {.existing = o.overwrite ? Existing::kReplace : Existing::kRefuse},
                    "vggt-attn " VGGT_VERSION, ThrowIfInterrupted);
    const std::vector<int64_t> left_out = LeftOutLayers(plan);
    if (!left_out.empty()) {
      std::fputs(fmt::format("left out, because they cannot be read: layers {}\n",
                             fmt::join(left_out, ", "))
                     .c_str(),
                 stderr);
    }
  });
  fmt::print("wrote {}\n", PrintableText(o.output));
  return 0;
}

}  // namespace

std::function<int()> DeclareFigure(CLI::App& app) {
  auto flags = std::make_shared<FigureFlags>();
  app.add_option("recipe", flags->recipe, "a recipe, as JSON")->check(SomeText())->required();
  app.add_option("-o,--output", flags->output,
                 "file to write: a figure as .png, .svg or .pdf,\n"
                 "or its numbers as .csv or .npy")
      ->type_name("FILE")
      ->check(SomeText())
      ->check(FigureName)
      ->required();
  app.add_flag("--overwrite", flags->overwrite, "replace an existing file");
  app.footer(
      "A recipe says what is drawn and how, with the keys of docs/http-api.md:\n"
      "  {\"export\": \"attn_first2all_demo\", \"queries\": [\"10.20\", \"3.4\"], \"view\": "
      "\"layers\",\n"
      "   \"colormap\": \"viridis\", \"width\": 85}\n"
      "'export' is a path, as seen from the recipe's folder.\n"
      "Every figure holds its recipe.");
  return [flags] { return RunFigure(*flags); };
}

}  // namespace vggt
