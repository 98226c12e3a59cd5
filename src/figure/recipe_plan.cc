// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace vggt {
namespace {

using Kind = RequestError::Kind;

// The folder of a whole export, though one of those in it was opened.
std::filesystem::path FolderOf(const Export& described) {
  const std::filesystem::path folder =
      std::filesystem::absolute(described.folder / "").lexically_normal().parent_path();
  const std::string name = folder.filename().string();
  return name == kMapsFolderName || name == kQkFolderName ? folder.parent_path() : folder;
}

bool HasReadableMaps(const RecipeSource& source) {
  const std::vector<MapLayer>& layers = source.maps.layers();
  return std::any_of(layers.begin(), layers.end(),
                     [](const MapLayer& layer) { return layer.error.empty(); });
}

// Numbers and places of the layers that a view shows, from those that there are.
void PlanLayers(const Recipe& recipe, const std::vector<int64_t>& numbers,
                const std::vector<bool>& readable, RecipePart& part) {
  const bool all = recipe.view == RecipeView::kLayers || recipe.view == RecipeView::kMatrix;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (all ? !readable[i] : numbers[i] != *recipe.layer) {
      if (all) part.left_out.push_back(numbers[i]);
      continue;
    }
    part.layers.push_back(numbers[i]);
    part.places.push_back(i);
  }
  if (!part.layers.empty()) return;
  throw RequestError(Kind::kNotThere, "layer",
                     all ? "no layer can be read"
                         : fmt::format("{} has no layer {}", part.source.name, *recipe.layer),
                     fmt::format("Its layers are {}.", fmt::join(numbers, ", ")));
}

void PlanHeads(const Recipe& recipe, int64_t heads, RecipePart& part) {
  const bool all = recipe.view == RecipeView::kHeads || recipe.view == RecipeView::kMatrix;
  part.heads = {recipe.head};
  if (all) part.heads = heads > 0 ? Range(1, static_cast<size_t>(heads)) : std::vector{kEveryHead};
  if (all || recipe.head <= heads) return;
  throw RequestError(Kind::kNotThere, "head",
                     fmt::format("{} has no head {}", part.source.name, recipe.head),
                     heads > 0 ? fmt::format("They run from 1 to {}.", heads)
                               : "It holds the mean of the heads only.");
}

void CheckCell(const GridCell& cell, const RecipePart& part) {
  const auto check = [&](const char* noun, int64_t number, int64_t count) {
    if (number < count) return;
    throw RequestError(Kind::kNotThere, "queries",
                       fmt::format("{} has no {} {}", part.source.name, noun, number),
                       fmt::format("They run from 0 to {}.", count - 1));
  };
  check("row", cell.row, part.rows);
  check("column", cell.col, part.cols);
}

void CheckFrame(int64_t frame, const char* key, const RecipePart& part) {
  if (frame < part.all_frames) return;
  throw RequestError(Kind::kNotThere, key,
                     fmt::format("{} has no frame {}", part.source.name, frame),
                     fmt::format("They run from 0 to {}.", part.all_frames - 1));
}

void PlanFrames(const Recipe& recipe, Attends attends, RecipePart& part) {
  const bool matrix = recipe.view == RecipeView::kMatrix;
  std::vector<int> shown = recipe.frames;
  if (shown.empty()) shown = Range(0, static_cast<size_t>(part.all_frames));
  for (const int frame : shown) CheckFrame(frame, "frames", part);
  if (matrix) CheckFrame(recipe.frame, "frame", part);
  for (const Spot& spot : recipe.queries) {
    CheckFrame(spot.frame, "queries", part);
    part.met.push_back(AttendedFrames(attends, spot.frame, part.all_frames, recipe.incoming));
    if (matrix) {
      const int64_t target = attends == Attends::kFrame ? spot.frame : recipe.frame;
      shown = {static_cast<int>(target)};
    }
    part.frames.push_back(shown);
  }
}

// What says how exact maps are computed means nothing where no map is.
void CheckStored(const Recipe& recipe) {
  const auto check = [](const char* key, bool is_given) {
    if (!is_given) return;
    throw RequestError(Kind::kMalformed, key, "is for exact maps, and these are the stored ones",
                       "Name a `definition`, or leave it out.");
  };
  check("block", recipe.block.has_value());
  check("rope", recipe.before_rope);
  check("reduce", recipe.reduce != HeadReduction::kMean);
  check("incoming", recipe.incoming);
}

void PlanStored(const Recipe& recipe, RecipePart& part) {
  CheckStored(recipe);
  const std::vector<MapLayer>& layers = part.source.maps.layers();
  const LayerMetadata& m = layers.back().metadata;
  part.all_frames = m.frames;
  part.rows = m.H_ds;
  part.cols = m.W_ds;
  std::vector<int64_t> numbers;
  std::vector<bool> readable;
  for (const MapLayer& layer : layers) {
    numbers.push_back(layer.index + 1);
    readable.push_back(layer.error.empty());
  }
  PlanLayers(recipe, numbers, readable, part);
  PlanHeads(recipe, m.per_head_data ? m.num_heads : 0, part);
  for (const Spot& spot : recipe.queries) {
    if (!spot.is_cell() || spot.frame != 0) {
      throw RequestError(Kind::kNotThere, "queries",
                         fmt::format("stored maps have no {}", SpotName(spot)),
                         "They are of single patches of frame 0. Other queries need queries and "
                         "keys and a `definition`.");
    }
    CheckCell(spot.cell, part);
  }
  PlanFrames(recipe, Attends::kAll, part);
}

void PlanExact(const Recipe& recipe, RecipePart& part) {
  const QkDescription& d = part.source.rows->store().description();
  const QkBlocks* blocks = d.Find(*recipe.block);
  if (blocks == nullptr) {
    throw RequestError(
        Kind::kNotThere, "block",
        fmt::format("{} has no {} blocks", part.source.name, BlockKindName(*recipe.block)),
        BlocksText(d));
  }
  if (recipe.before_rope && blocks->rope.type == RopeType::kApplied) {
    throw RequestError(Kind::kNotThere, "rope",
                       fmt::format("the queries and keys of {} were recorded after the rotary "
                                   "embedding",
                                   part.source.name),
                       "What was before it can only be had by recording again.");
  }
  part.all_frames = d.frames;
  part.rows = d.H_p;
  part.cols = d.W_p;
  part.special_tokens = blocks->special_tokens;
  std::vector<int64_t> numbers;
  for (const QkLayer& layer : blocks->layers) numbers.push_back(layer.index + 1);
  PlanLayers(recipe, numbers, std::vector<bool>(numbers.size(), true), part);
  PlanHeads(recipe, blocks->heads, part);
  for (const Spot& spot : recipe.queries) {
    if (spot.token.empty()) {
      CheckCell(spot.cell, part);
      if (spot.to) CheckCell(*spot.to, part);
      for (const GridCell& cell : spot.more) CheckCell(cell, part);
    } else if (FindSpecialToken(*blocks, spot.token) < 0) {
      throw RequestError(
          Kind::kNotThere, "queries",
          fmt::format("{} has no special token '{}'", part.source.name, Printable(spot.token)),
          SpecialTokensText(*blocks));
    }
  }
  PlanFrames(recipe, blocks->attends, part);
}

RecipePart PlanPart(const RecipePlan& plan, const RecipeSource& source) {
  RecipePart part(source);
  if (plan.stored()) {
    if (!HasReadableMaps(source)) {
      throw RequestError(Kind::kNotThere, "definition",
                         fmt::format("{} has no stored maps that can be read", source.name),
                         source.rows == nullptr ? "" : "It has queries and keys.");
    }
    PlanStored(plan.recipe, part);
  } else {
    if (source.rows == nullptr) {
      const std::optional<ExportStore>& store = source.described.store;
      if (store && !store->error.empty()) {
        throw RequestError(Kind::kNotThere, "definition",
                           fmt::format("the queries and keys of {} cannot be read: {}", source.name,
                                       Printable(store->error)));
      }
      throw RequestError(
          Kind::kNotThere, "definition",
          fmt::format("{} has no queries and keys to compute attention from", source.name),
          "Export with `save_qk` to have them.");
    }
    PlanExact(plan.recipe, part);
  }
  return part;
}

void CheckDifference(const RecipePart& a, const RecipePart& b) {
  const auto refuse = [&](const char* what) {
    throw RequestError(Kind::kMalformed, "compare",
                       fmt::format("{} and {} differ in {}, so that nothing can be subtracted",
                                   a.source.name, b.source.name, what),
                       "They can be compared side by side.");
  };
  if (a.rows != b.rows || a.cols != b.cols) refuse("their grids");
  if (a.all_frames != b.all_frames) refuse("the number of their frames");
  if (a.layers != b.layers) refuse("their layers");
  if (a.heads != b.heads) refuse("their heads");
  if (a.special_tokens.size() != b.special_tokens.size()) refuse("their special tokens");
  if (a.met != b.met) refuse("which frames a query attends to");
}

}  // namespace

std::string SceneName(const Export& described) {
  if (!described.image_set_name.empty()) return described.image_set_name;
  return Printable(FolderOf(described).filename().string());
}

RecipeExport::RecipeExport(const std::filesystem::path& path)
    : described_(OpenExport(path)), maps_(described_.maps, {}), name_(SceneName(described_)) {
  if (described_.store && described_.store->error.empty()) {
    rows_ = std::make_unique<AttentionRows>(described_.store->file);
  }
}

RecipePlan PlanRecipe(const Recipe& recipe, const RecipeSource& a, const RecipeSource* b) {
  RecipePlan plan;
  plan.recipe = recipe;
  Recipe& r = plan.recipe;
  if (!r.definition && !r.stored) {
    r.stored = HasReadableMaps(a) || a.rows == nullptr;
    if (!r.stored) r.definition = Definitions().front().definition;
  }
  if (r.definition) plan.definition = &InfoOf(*r.definition);
  if (!plan.stored() && a.rows != nullptr) {
    const QkDescription& d = a.rows->store().description();
    if (!r.block) r.block = d.blocks.front().kind;
    const QkBlocks* blocks = d.Find(*r.block);
    if (!r.layer && blocks != nullptr) r.layer = blocks->layers.back().index + 1;
  } else if (!r.layer && !a.maps.layers().empty()) {
    r.layer = a.maps.layers().back().index + 1;
  }
  plan.parts.push_back(PlanPart(plan, a));
  if (b != nullptr) plan.parts.push_back(PlanPart(plan, *b));
  if (plan.difference()) CheckDifference(plan.parts[0], plan.parts[1]);
  return plan;
}

std::vector<std::string> FolderNames(const RecipePlan& plan) {
  std::vector<std::filesystem::path> above, names;
  for (const RecipePart& part : plan.parts) {
    above.push_back(FolderOf(part.source.described));
    names.push_back(above.back().filename());
  }
  if (names.size() == 2 && above[0] != above[1]) {
    while (names[0] == names[1]) {
      for (size_t i = 0; i < 2; ++i) {
        above[i] = above[i].parent_path();
        names[i] = above[i].filename() / names[i];
      }
    }
  }
  std::vector<std::string> texts;
  for (const std::filesystem::path& name : names) {
    texts.push_back(name.empty() ? "." : name.string());
  }
  return texts;
}

std::vector<int64_t> LeftOutLayers(const RecipePlan& plan) {
  std::set<int64_t> layers;
  for (const RecipePart& part : plan.parts) {
    layers.insert(part.left_out.begin(), part.left_out.end());
  }
  return {layers.begin(), layers.end()};
}

AttentionRequest RequestOf(const RecipePlan& plan, const RecipePart& part, size_t query) {
  const Recipe& r = plan.recipe;
  const QkDescription& d = part.source.rows->store().description();
  const QkBlocks& blocks = *d.Find(*r.block);
  const TokenGrid grid = d.token_grid(blocks);
  const Spot& spot = r.queries[query];
  AttentionRequest request;
  request.kind = *r.block;
  request.layers = part.places;
  request.heads = part.heads;
  if (part.heads.front() == kEveryHead) {
    request.heads = Range(1, static_cast<size_t>(blocks.heads));
    request.reduction = r.reduce;
  }
  request.frame = spot.frame;
  request.frames = Range(0, static_cast<size_t>(part.all_frames));
  request.definition = *r.definition;
  request.before_rope = r.before_rope;
  request.incoming = r.incoming;
  if (!spot.token.empty()) {
    request.tokens = {FindSpecialToken(blocks, spot.token)};
  } else if (spot.to) {
    request.tokens = TokensOf({spot.cell.row, spot.to->row, spot.cell.col, spot.to->col}, grid);
  } else {
    request.tokens = {grid.patch(0, spot.cell.row, spot.cell.col)};
    for (const GridCell& cell : spot.more)
      request.tokens.push_back(grid.patch(0, cell.row, cell.col));
  }
  return request;
}

std::string AttentionName(const RecipePlan& plan) {
  const Recipe& r = plan.recipe;
  if (plan.stored()) return "stored";
  std::string name = plan.definition->name;
  if (r.before_rope) name += ", before RoPE";
  if (*r.block != BlockKind::kGlobal) name += fmt::format(", {} blocks", BlockKindName(*r.block));
  if (r.incoming) name += ", incoming";
  return name;
}

std::string UnitName(const RecipePlan& plan) {
  if (plan.stored()) {
    return fmt::format("attention, {}", InfoOf(Definition::kPatches).unit);
  }
  if (plan.is_signed()) return plan.definition->unit;
  if (plan.recipe.incoming) return "attention of each patch to the query";
  return fmt::format("attention, {}", plan.definition->unit);
}

std::string HeadName(const RecipePlan& plan, int head) {
  if (head != kEveryHead) return fmt::format("Head {}", head);
  return HeadWord(plan, head) == "max" ? "Maximum" : "Average";
}

std::string HeadWord(const RecipePlan& plan, int head) {
  if (head != kEveryHead) return fmt::format("{}", head);
  return !plan.stored() && plan.recipe.reduce == HeadReduction::kMax ? "max" : "mean";
}

}  // namespace vggt
