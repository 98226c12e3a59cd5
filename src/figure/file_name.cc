// SPDX-License-Identifier: Apache-2.0
#include "figure/file_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "figure/table.h"

namespace vggt {
namespace {

constexpr size_t kLongestFileStem = 190;

// Runs of what is neither a letter, a digit, nor one of "._-" become one "_".
std::string PlainWord(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x80 || std::isalnum(byte) != 0 || c == '.' || c == '_' || c == '-';
    if (plain) {
      out += c;
    } else if (!out.ends_with('_')) {
      out += '_';
    }
  }
  // No hidden file, and nothing that reads like a flag.
  const size_t first = out.find_first_not_of(".-");
  return first == std::string::npos ? "_" : out.substr(first);
}

// FNV-1a, for what is too long to stand in a name.
std::string ShortHash(const std::string& text) {
  uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:08x}", hash);
}

}  // namespace

std::string RecipeFileName(const RecipePlan& plan, const std::string& extension) {
  const Recipe& r = plan.recipe;
  const RecipePart& a = plan.parts.front();
  const bool all_layers = r.view == RecipeView::kLayers || r.view == RecipeView::kMatrix;
  const bool all_heads = r.view == RecipeView::kHeads || r.view == RecipeView::kMatrix;
  const std::vector<std::string> scenes = SceneNames(plan);
  std::string stem = scenes[0];
  if (plan.parts.size() == 2) stem += (plan.difference() ? "_minus_" : "_and_") + scenes[1];
  stem += all_layers ? "_layers" : fmt::format("_layer{}", *r.layer);
  stem += all_heads ? "_heads" : "_head" + HeadWord(plan, a.heads.front());
  if (r.view == RecipeView::kMatrix) stem += fmt::format("_target{}", a.frames.front().front());
  bool cut = false;
  for (const Spot& spot : r.queries) {
    stem += "_" + SpotStem(spot);
    cut = cut || spot.more.size() > 0;
  }
  if (!plan.stored()) stem += "_" + AttentionName(plan);
  stem = PlainWord(stem);
  if (cut || stem.size() > kLongestFileStem) {
    const std::string hash = ShortHash(fmt::format("{} {}", stem, FormatSpots(r.queries)));
    size_t end = std::min(stem.size(), kLongestFileStem - hash.size() - 1);
    while (end < stem.size() && (stem[end] & 0xC0) == 0x80) --end;
    stem = stem.substr(0, end) + "_" + hash;
  }
  return stem + "." + extension;
}

}  // namespace vggt
