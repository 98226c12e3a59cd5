// SPDX-License-Identifier: Apache-2.0
// A recipe says all that a saved figure or table is made of: which export, which maps of it, and
// how they look. docs/http-api.md lists its keys. It is text: the parameters of an address, or a
// JSON object with the same keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attention/definition.h"
#include "attention/request.h"
#include "figure/colour_range.h"
#include "figure/spot.h"
#include "render/colormap.h"

namespace vggt {

enum class RecipeView { kFrames, kLayers, kHeads, kMatrix };
enum class Comparison { kSide, kDifference };

// In place of a head's number, which count from 1, as for MapReader.
inline constexpr int kEveryHead = 0;

// What a recipe says by itself; figure/recipe_plan.h holds it against exports.
struct Recipe {
  std::string export_id;             // or a path
  std::optional<std::string> other;  // a second export, B
  Comparison compare = Comparison::kSide;
  bool own = false;  // A and B each have a scale of their own
  RecipeView view = RecipeView::kFrames;
  std::optional<int64_t> layer;  // from 1; the last one if absent
  int head = kEveryHead;         // from 1, or all heads reduced to one map
  // The export's own maps are `stored`. If neither is given: stored maps if there are any, else
  // the default definition.
  bool stored = false;
  std::optional<Definition> definition;
  std::optional<BlockKind> block;  // the first that is stored if absent
  bool before_rope = false;
  HeadReduction reduce = HeadReduction::kMean;  // how all heads become one map
  bool incoming = false;
  std::vector<Spot> queries;  // 1 to kMostSpots, in the order of their numbers
  int64_t frame = 0;          // whose maps a matrix shows
  std::vector<int> frames;    // those that are shown otherwise, from 0; empty: all

  // How it looks, which concerns figures alone.
  Colormap colormap = Colormap::kJet;
  ScaleMode scale = ScaleMode::kView;
  double fixed = 0.01;  // the last colour's value for ScaleMode::kFixed; 1e-9 to 1
  double gamma = 1;     // 0.2 to 3
  double opacity = 0.6;
  bool log = false, smooth = false, alone = false;
  bool matches = true, lines = false;  // lines join a query with its matches, where these are shown
  double width = 170;                  // mm
  int dpi = 300;                       // of PNG
  bool title = true, footer = true;
};

// A recipe as text: keys and values, in any order.
using RecipeWords = std::vector<std::pair<std::string, std::string>>;

// The keys that a recipe may have, in the order in which WriteRecipe has them.
std::vector<std::string_view> RecipeKeys();

// Throws RequestError (kMalformed) naming the key that is unknown, missing, given twice, or has a
// value that can mean nothing.
Recipe ReadRecipe(const RecipeWords& words);
// What differs from the defaults: ReadRecipe makes the same recipe of it.
RecipeWords WriteRecipe(const Recipe& recipe);

// The same of a JSON object, whose values are texts, numbers, booleans, and lists where several
// things may be named: {"export": "kitchen", "queries": ["12.18", "3.4"], "layer": 12, "log": true}
// Throws Error naming `source` if it is no such JSON.
RecipeWords ParseRecipeJson(std::string_view text, const std::string& source);
std::string RecipeJsonText(const RecipeWords& words);

}  // namespace vggt
