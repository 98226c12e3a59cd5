// SPDX-License-Identifier: Apache-2.0
#include "cli/query_recipe.h"

#include <fmt/format.h>

#include "cli/command.h"

namespace vggt {
Spot SpotOf(const AttentionRequest& request, const QkDescription& d, const QkBlocks& blocks) {
  Spot spot;
  spot.frame = request.frame;
  const int64_t specials = blocks.specials(), first = request.tokens.front();
  if (first < specials) {
    spot.token = blocks.special_tokens[static_cast<size_t>(first)];
    return spot;
  }
  // Patches are named by a rectangle, whose rows follow each other.
  const auto cell = [&](int64_t token) {
    return GridCell{(token - specials) / d.W_p, (token - specials) % d.W_p};
  };
  spot.cell = cell(first);
  if (request.tokens.size() > 1) spot.to = cell(request.tokens.back());
  return spot;
}

Recipe RecipeOf(const AttentionRequest& request, const QkDescription& d, const std::string& path) {
  const QkBlocks& blocks = *d.Find(request.kind);
  const auto all_of = [](size_t count, size_t all, const char* flag, const char* nouns) {
    if (count != 1 && count != all) {
      throw WrongUsage(fmt::format("a figure shows one or all {}, not {} of {}", nouns, count, all),
                       flag, "Without --labels, and in .npy and .csv, there can be any.");
    }
    return count > 1;
  };
  const bool layers = all_of(request.layers.size(), blocks.layers.size(), "--layer", "layers");
  const bool heads =
      request.reduction == HeadReduction::kNone &&
      all_of(request.heads.size(), static_cast<size_t>(blocks.heads), "--head", "heads");
  Recipe recipe;
  recipe.export_id = path;
  recipe.view = layers  ? heads ? RecipeView::kMatrix : RecipeView::kLayers
                : heads ? RecipeView::kHeads
                        : RecipeView::kFrames;
  if (!layers) recipe.layer = blocks.layers[request.layers.front()].index + 1;
  if (request.reduction != HeadReduction::kNone) {
    recipe.reduce = request.reduction;
  } else if (!heads) {
    recipe.head = request.heads.front();
  }
  recipe.definition = request.definition;
  recipe.block = request.kind;
  recipe.before_rope = request.before_rope;
  recipe.incoming = request.incoming;
  recipe.queries = {SpotOf(request, d, blocks)};
  if (recipe.view == RecipeView::kMatrix) {
    if (request.frames.size() != 1) {
      throw WrongUsage("a figure of all layers and heads is of one picture", "--frames",
                       "Name one of them, as --frames 0.");
    }
    recipe.frame = request.frames.front();
  } else if (static_cast<int64_t>(request.frames.size()) != d.frames) {
    recipe.frames = request.frames;
  }
  return recipe;
}

}  // namespace vggt
