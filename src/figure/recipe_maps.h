// SPDX-License-Identifier: Apache-2.0
// The numbers of a recipe: read a layer at a time, or gathered for a figure with the ranges of
// their colours.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "figure/colour_range.h"
#include "figure/recipe_plan.h"

namespace vggt {

// The values of one query in one layer.
struct LayerValues {
  int64_t heads = 0, frames = 0;  // frames: all of the export
  int64_t special_tokens = 0;     // of each frame
  int64_t patches = 0;            // cells of a map
  // [heads, frames, special_tokens + patches]: what AttentionRows answers, to the last bit; of
  // stored maps level / 255 · scale.
  FloatBuffer values;
  // Of stored maps, [heads]: what level 255, the largest, stands for. Else empty.
  std::vector<double> scales;

  std::span<const float> Tokens(int64_t head, int64_t frame) const;
  std::span<const float> Patches(int64_t head, int64_t frame) const;
};

// `part`, `query` and `layer` are places in plan.parts, plan.recipe.queries and the part's layers.
// Throws like AttentionRows::Answer and MapReader::Read. `stop_check` is asked as the former does.
LayerValues ReadLayerValues(const RecipePlan& plan, size_t part, size_t query, size_t layer,
                            const StopCheck& stop_check);
// a − b, value by value, for the layers of a plan with a difference.
LayerValues Minus(const LayerValues& a, const LayerValues& b);

// How much there is to compute, as AttentionRows::Products; 0 of stored maps.
double RecipeProducts(const RecipePlan& plan);

// One query in one layer and head.
struct HeadMaps {
  std::vector<std::vector<float>> maps;  // for each frame on show
  double scale = 0;                      // of stored maps: what level 255 stands for
  // What share of the attention lies on the patches of each frame, and on its special tokens, for
  // all frames of the export. Empty where values are no probabilities, and of differences. Shares
  // of stored maps are relative to the sum of these maps, and so are those of exact maps that need
  // not add up to 1 (incoming attention, the maximum of heads).
  std::vector<double> frame_mass, special_mass;
};

// The maps of a figure, and the scales of their colours. `part` is a place in plan.parts; one more
// is the difference, where there is one. The other arguments are places, too: among the queries,
// the part's layers and heads, and the query's frames on show.
class RecipeMaps {
 public:
  // Reads all maps; only those on show are kept. `plan` must outlive this. Throws RequestError if
  // they are more than a figure may hold; else as ReadLayerValues.
  RecipeMaps(const RecipePlan& plan, const StopCheck& stop_check);
  RecipeMaps(const RecipeMaps&) = delete;
  RecipeMaps& operator=(const RecipeMaps&) = delete;
  ~RecipeMaps();

  const HeadMaps& Head(size_t part, size_t query, size_t layer, size_t head) const;
  // The scale of one map.
  ScaleRange Range(size_t part, size_t query, size_t layer, size_t head, size_t frame) const;
  // Whether all maps that share a part's scales (A and B, unless each has its own; differences)
  // have the same one, so that one colour bar tells their values.
  bool HasOneRange(size_t part) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// What scales reach over and where they end, in the words of the page (core/state/colour_scale.ts):
// "99 % of each head, in all frames".
std::string ReachName(const RecipePlan& plan, bool difference);

}  // namespace vggt
