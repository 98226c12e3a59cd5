// SPDX-License-Identifier: Apache-2.0
// A recipe held against the exports that it names: what is left out has its default, and what an
// export lacks is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "attention/attention_rows.h"
#include "attention/request_words.h"
#include "attention/softmax_groups.h"
#include "figure/recipe.h"
#include "store/export/export_reader.h"
#include "store/maps/map_reader.h"

namespace vggt {

// What people call an export: the name of its image set, or else of its folder.
std::string SceneName(const Export& described);

// An open export. What it refers to must outlive the plan.
struct RecipeSource {
  const Export& described;
  const MapReader& maps;      // of described.maps
  const AttentionRows* rows;  // null if it has no store that can be read
  std::string name;           // as SceneName
};

// An export that a recipe names by its path.
class RecipeExport {
 public:
  // Throws like OpenExport. A store that cannot be read is as none.
  explicit RecipeExport(const std::filesystem::path& path);

  RecipeSource source() const { return {described_, maps_, rows_.get(), name_}; }

 private:
  Export described_;
  MapReader maps_;
  std::unique_ptr<AttentionRows> rows_;
  std::string name_;
};

// One of the exports, and what of it is shown.
struct RecipePart {
  // The name becomes printable.
  explicit RecipePart(const RecipeSource& of)
      : source{of.described, of.maps, of.rows, PrintableText(of.name)} {}

  RecipeSource source;
  std::vector<int64_t> layers;  // their numbers, from 1
  std::vector<size_t> places;   // of these layers: in source.maps.layers(), or in QkBlocks::layers
  std::vector<int64_t> left_out;  // layers of the view that cannot be read
  std::vector<int> heads;         // their numbers from 1, or kEveryHead alone
  // For each query the frames on show, from 0: of a matrix its target frame alone, which is the
  // query's own in blocks that attend to no other.
  std::vector<std::vector<int>> frames;
  std::vector<FrameRange> met;  // for each query the frames that it meets
  int64_t all_frames = 0;
  int64_t rows = 0, cols = 0;               // of a map
  std::vector<std::string> special_tokens;  // of each frame; none of stored maps
};

struct RecipePlan {
  Recipe recipe;  // with `layer`, and of exact maps `definition` and `block`
  const DefinitionInfo* definition = nullptr;  // null: stored maps
  std::vector<RecipePart> parts;               // A, and B if it is compared

  bool stored() const { return definition == nullptr; }
  bool is_signed() const { return definition != nullptr && definition->is_signed; }
  bool difference() const { return parts.size() == 2 && recipe.compare == Comparison::kDifference; }
  // What is shown: the parts, and behind them their difference, which has A's layers, heads and
  // frames.
  size_t shown() const { return parts.size() + (difference() ? 1 : 0); }
  bool is_difference(size_t part) const { return part == parts.size(); }
  const RecipePart& part_of(size_t part) const { return parts[is_difference(part) ? 0 : part]; }
};

// Throws RequestError naming the key: kNotThere for what an export does not have (a definition, a
// layer, a frame, a special token, B's shape), kMalformed for what cannot go together.
RecipePlan PlanRecipe(const Recipe& recipe, const RecipeSource& a, const RecipeSource* b = nullptr);

// What files call the exports of a plan, which must not tell where somebody keeps them: the names
// of their folders, after as many folders above these as tell A and B apart: "bf16/kitchen".
std::vector<std::string> FolderNames(const RecipePlan& plan);

// The layers of the view that cannot be read in A, in B or in both, each once, from 1 in ascending
// order.
std::vector<int64_t> LeftOutLayers(const RecipePlan& plan);

// What is asked of the store for one query, all layers of the part at once. Not of stored maps.
AttentionRequest RequestOf(const RecipePlan& plan, const RecipePart& part, size_t query);

// What the numbers are: "stored", "model", "cosine before RoPE, frame blocks, incoming".
std::string AttentionName(const RecipePlan& plan);
// The same as the unit of a colour bar: "attention, a share of 1 over all tokens it may look at".
std::string UnitName(const RecipePlan& plan);
// "Layer 12", "Head 3", "Average", "Maximum".
std::string HeadName(const RecipePlan& plan, int head);
// In tables and names of files: "3", "mean", "max". (Stored maps have no maximum.)
std::string HeadWord(const RecipePlan& plan, int head);

}  // namespace vggt
