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
#include "figure/draw_figure.h"
#include "figure/recipe_figure.h"
#include "figure/table.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostRecipeBytes = 1 << 20;

struct FigureFlags {
  std::string recipe, output;
  bool overwrite = false;
};

bool IsTable(const std::string& extension) { return extension == "csv" || extension == "npy"; }

std::string FigureName(const std::string& path) {
  const std::string extension = ExtensionOf(path);
  if (IsTable(extension) || FigureFormatNamed(extension)) return "";
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

void WriteFigure(const FigureFlags& o, const AtomicOptions& replacing, const RecipePlan& plan) {
  const Figure figure =
      MakeFigure(plan, RecipeMaps(plan, ThrowIfInterrupted), "vggt-attn " VGGT_VERSION);
  const std::vector<uint8_t> bytes =
      DrawFigure(figure, *FigureFormatNamed(ExtensionOf(o.output)), ThrowIfInterrupted);
  WriteFileAtomic(o.output, Bytes(bytes), replacing);
}

void WriteTable(const FigureFlags& o, const AtomicOptions& replacing, const RecipePlan& plan) {
  AtomicFile file(o.output, replacing);
  const auto write = [&](std::string_view piece) {
    file.Write({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
  };
  if (ExtensionOf(o.output) == "csv") {
    WriteTableCsv(plan, write, ThrowIfInterrupted);
  } else {
    WriteTableNpy(plan, write, ThrowIfInterrupted);
  }
  file.Commit();
}

int RunFigure(const FigureFlags& o) {
  CatchInterrupts();
  std::error_code ignored;
  if (!o.overwrite && fs::exists(o.output, ignored)) {
    throw Error("exists already", o.output, "Use --overwrite to replace it.");
  }
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
    const AtomicOptions replacing = {.existing =
                                         o.overwrite ? Existing::kReplace : Existing::kRefuse};
    if (IsTable(ExtensionOf(o.output))) {
      WriteTable(o, replacing, plan);
    } else {
      WriteFigure(o, replacing, plan);
    }
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
