// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "attention/request_words.h"
#include "formats/json.h"

namespace vggt {
namespace {

using Kind = RequestError::Kind;

constexpr size_t kLongestValue = 16'384;
constexpr const char* kStored = "stored";

constexpr std::array<std::string_view, 4> kViews = {"frames", "layers", "heads", "matrix"};
constexpr std::array<std::string_view, 6> kScales = {"view", "head", "layer",
                                                     "map",  "max",  "fixed"};
constexpr std::array<std::string_view, 2> kComparisons = {"side", "difference"};
constexpr std::array<std::string_view, 2> kRopes = {"after", "before"};
constexpr std::array<std::string_view, 2> kReductions = {"mean", "max"};

[[noreturn]] void Wrong(const std::string& key, const std::string& what,
                        const std::string& hint = "") {
  throw RequestError(Kind::kMalformed, key, what, hint);
}

size_t ChoiceOf(const std::string& text, const char* key, std::span<const std::string_view> names) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  Wrong(key, fmt::format("'{}' is none of {}", Printable(text), fmt::join(names, ", ")));
}

bool FlagOf(const std::string& text, const char* key) {
  if (text != "0" && text != "1") {
    Wrong(key, fmt::format("'{}' is neither 0 nor 1", Printable(text)));
  }
  return text == "1";
}

double DecimalOf(const std::string& text, const char* key, double least, double most) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  // Comparisons with NaN are false.
  if (error != std::errc() || stopped != end || !(number >= least && number <= most)) {
    Wrong(key, fmt::format("'{}' is no number from {} to {}", Printable(text), least, most));
  }
  return number;
}

std::string FlagText(bool flag) { return flag ? "1" : "0"; }

std::vector<std::string_view> DefinitionNames() {
  std::vector<std::string_view> names = {kStored};
  for (const DefinitionInfo& info : Definitions()) names.emplace_back(info.name);
  return names;
}

std::vector<std::string_view> BlockNames() {
  std::vector<std::string_view> names;
  for (const BlockKind kind : kBlockKinds) names.emplace_back(BlockKindName(kind));
  return names;
}

std::vector<std::string_view> ColormapNames() {
  std::vector<std::string_view> names;
  for (const Colormap colormap : ChoosableColormaps()) names.push_back(NameOf(colormap));
  return names;
}

// How one key is read and written.
struct RecipeKey {
  const char* name;
  void (*read)(const std::string& text, const char* key, Recipe& recipe);
  std::string (*write)(const Recipe& recipe);
};

template <bool Recipe::*field>
constexpr RecipeKey Flag(const char* name) {
  return {name,
          [](const std::string& text, const char* key, Recipe& r) { r.*field = FlagOf(text, key); },
          [](const Recipe& r) { return FlagText(r.*field); }};
}

void ReadDefinition(const std::string& text, const char* key, Recipe& r) {
  const size_t choice = ChoiceOf(text, key, DefinitionNames());
  r.stored = choice == 0;
  r.definition.reset();
  if (!r.stored) r.definition = Definitions()[choice - 1].definition;
}

std::string WriteDefinition(const Recipe& r) {
  if (r.definition) return InfoOf(*r.definition).name;
  return r.stored ? kStored : "";
}

void ReadFrames(const std::string& text, const char* key, Recipe& r) {
  r.frames.clear();
  if (text == "all") return;
  const std::vector<int64_t> numbers = ParseNumbers(text, {"frame", 0, kMostNumber}, key);
  r.frames.assign(numbers.begin(), numbers.end());
}

const std::array kKeys = {
    RecipeKey{"export", [](const std::string& text, const char*, Recipe& r) { r.export_id = text; },
              [](const Recipe& r) { return r.export_id; }},
    RecipeKey{"other", [](const std::string& text, const char*, Recipe& r) { r.other = text; },
              [](const Recipe& r) { return r.other.value_or(""); }},
    RecipeKey{
        "compare",
        [](const std::string& text, const char* key, Recipe& r) {
          r.compare = static_cast<Comparison>(ChoiceOf(text, key, kComparisons));
        },
        [](const Recipe& r) { return std::string(kComparisons[static_cast<size_t>(r.compare)]); }},
    Flag<&Recipe::own>("own"),
    RecipeKey{"view",
              [](const std::string& text, const char* key, Recipe& r) {
                r.view = static_cast<RecipeView>(ChoiceOf(text, key, kViews));
              },
              [](const Recipe& r) { return std::string(kViews[static_cast<size_t>(r.view)]); }},
    RecipeKey{"layer",
              [](const std::string& text, const char* key, Recipe& r) {
                r.layer = ParseNumber(text, {"layer", 1, kMostNumber}, key);
              },
              [](const Recipe& r) { return r.layer ? fmt::format("{}", *r.layer) : ""; }},
    RecipeKey{
        "head",
        [](const std::string& text, const char* key, Recipe& r) {
          r.head = kEveryHead;
          if (text == "mean") return;
          r.head = static_cast<int>(ParseNumber(text, {"head", 1, kMostNumber}, key));
        },
        [](const Recipe& r) { return r.head == kEveryHead ? "mean" : fmt::format("{}", r.head); }},
    RecipeKey{"definition", ReadDefinition, WriteDefinition},
    RecipeKey{"block",
              [](const std::string& text, const char* key, Recipe& r) {
                r.block = kBlockKinds[ChoiceOf(text, key, BlockNames())];
              },
              [](const Recipe& r) { return std::string(r.block ? BlockKindName(*r.block) : ""); }},
    RecipeKey{"rope",
              [](const std::string& text, const char* key, Recipe& r) {
                r.before_rope = ChoiceOf(text, key, kRopes) == 1;
              },
              [](const Recipe& r) { return std::string(kRopes[r.before_rope ? 1 : 0]); }},
    RecipeKey{"reduce",
              [](const std::string& text, const char* key, Recipe& r) {
                r.reduce = ChoiceOf(text, key, kReductions) == 1 ? HeadReduction::kMax
                                                                 : HeadReduction::kMean;
              },
              [](const Recipe& r) {
                return std::string(kReductions[r.reduce == HeadReduction::kMax ? 1 : 0]);
              }},
    Flag<&Recipe::incoming>("incoming"),
    RecipeKey{"queries",
              [](const std::string& text, const char* key, Recipe& r) {
                r.queries = ParseSpots(text, key);
              },
              [](const Recipe& r) { return FormatSpots(r.queries); }},
    RecipeKey{"frame",
              [](const std::string& text, const char* key, Recipe& r) {
                r.frame = ParseNumber(text, {"frame", 0, kMostNumber}, key);
              },
              [](const Recipe& r) { return fmt::format("{}", r.frame); }},
    RecipeKey{"frames", ReadFrames,
              [](const Recipe& r) {
                return r.frames.empty() ? "all" : fmt::format("{}", fmt::join(r.frames, ","));
              }},
    RecipeKey{"colormap",
              [](const std::string& text, const char* key, Recipe& r) {
                r.colormap = ChoosableColormaps()[ChoiceOf(text, key, ColormapNames())];
              },
              [](const Recipe& r) { return std::string(NameOf(r.colormap)); }},
    RecipeKey{"scale",
              [](const std::string& text, const char* key, Recipe& r) {
                r.scale = static_cast<ScaleMode>(ChoiceOf(text, key, kScales));
              },
              [](const Recipe& r) { return std::string(kScales[static_cast<size_t>(r.scale)]); }},
    RecipeKey{"fixed",
              [](const std::string& text, const char* key, Recipe& r) {
                r.fixed = DecimalOf(text, key, 1e-9, 1);
              },
              [](const Recipe& r) { return fmt::format("{}", r.fixed); }},
    RecipeKey{"gamma",
              [](const std::string& text, const char* key, Recipe& r) {
                r.gamma = DecimalOf(text, key, 0.2, 3);
              },
              [](const Recipe& r) { return fmt::format("{}", r.gamma); }},
    Flag<&Recipe::log>("log"),
    RecipeKey{"opacity",
              [](const std::string& text, const char* key, Recipe& r) {
                r.opacity = DecimalOf(text, key, 0, 1);
              },
              [](const Recipe& r) { return fmt::format("{}", r.opacity); }},
    Flag<&Recipe::smooth>("smooth"),
    Flag<&Recipe::alone>("alone"),
    Flag<&Recipe::matches>("matches"),
    Flag<&Recipe::lines>("lines"),
    RecipeKey{"width",
              [](const std::string& text, const char* key, Recipe& r) {
                r.width = DecimalOf(text, key, 40, 400);
              },
              [](const Recipe& r) { return fmt::format("{}", r.width); }},
    RecipeKey{"dpi",
              [](const std::string& text, const char* key, Recipe& r) {
                r.dpi = static_cast<int>(DecimalOf(text, key, 72, 600));
                if (fmt::format("{}", r.dpi) != text) {
                  Wrong(key, fmt::format("'{}' is no whole number", Printable(text)));
                }
              },
              [](const Recipe& r) { return fmt::format("{}", r.dpi); }},
    Flag<&Recipe::title>("title"),
    Flag<&Recipe::footer>("footer"),
};

// The text that stands for a value of a JSON recipe. `separator` joins lists; 0 where none may be.
std::string WordOf(const Json& value, const std::string& key, char separator) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return FlagText(value.get<bool>());
  if (value.is_number()) return value.dump();
  if (value.is_array() && separator != 0 && !value.empty()) {
    std::string text;
    for (const Json& each : value) {
      if (&each != &value.front()) text += separator;
      text += WordOf(each, key, 0);
    }
    return text;
  }
  Wrong(key, fmt::format("is {}, which can mean nothing here", DescribeJson(value)));
}

}  // namespace

std::vector<std::string_view> RecipeKeys() {
  std::vector<std::string_view> names;
  for (const RecipeKey& key : kKeys) names.emplace_back(key.name);
  return names;
}

Recipe ReadRecipe(const RecipeWords& words) {
  Recipe recipe;
  std::vector<const RecipeKey*> seen;
  for (const auto& [name, text] : words) {
    const auto key =
        std::find_if(kKeys.begin(), kKeys.end(),
                     [&name = name](const RecipeKey& each) { return name == each.name; });
    if (key == kKeys.end()) {
      Wrong(Printable(name), "is no key of a recipe",
            fmt::format("Its keys are {}.", fmt::join(RecipeKeys(), ", ")));
    }
    if (std::find(seen.begin(), seen.end(), &*key) != seen.end()) {
      Wrong(key->name, "is given twice");
    }
    seen.push_back(&*key);
    if (text.empty()) Wrong(key->name, "is empty");
    if (text.size() > kLongestValue || text.find('\0') != std::string::npos) {
      Wrong(key->name, fmt::format("'{}' is too long, or no text", Printable(text)));
    }
    key->read(text, key->name, recipe);
  }
  if (recipe.export_id.empty()) Wrong("export", "is missing", "Name the export that is drawn.");
  if (recipe.queries.empty()) {
    Wrong("queries", "is missing", "12.18 is the patch in row 12 and column 18.");
  }
  if (recipe.compare == Comparison::kDifference && !recipe.other) {
    Wrong("compare", "a difference needs a second export", "Name it by `other`.");
  }
  if (recipe.own && !recipe.other) {
    Wrong("own", "there is only one export", "Name the other by `other`.");
  }
  return recipe;
}

RecipeWords WriteRecipe(const Recipe& recipe) {
  const Recipe usual;
  RecipeWords words;
  for (const RecipeKey& key : kKeys) {
    std::string text = key.write(recipe);
    if (!text.empty() && text != key.write(usual)) words.emplace_back(key.name, std::move(text));
  }
  return words;
}

RecipeWords ParseRecipeJson(std::string_view text, const std::string& source) {
  const Json json = ParseJson(text, source);
  if (!json.is_object()) throw Error("is no JSON object", source);
  RecipeWords words;
  for (const auto& [key, value] : json.items()) {
    const char separator = key == "queries" ? '_' : key == "frames" ? ',' : '\0';
    // The number 12.10 is 12.1, another place.
    const bool number =
        value.is_number() || (value.is_array() && !value.empty() &&
                              std::any_of(value.begin(), value.end(),
                                          [](const Json& each) { return each.is_number(); }));
    if (key == "queries" && number) {
      Wrong("queries", "is a number", "Write places as text: \"12.10\".");
    }
    words.emplace_back(key, WordOf(value, Printable(key), separator));
  }
  return words;
}

std::string RecipeJsonText(const RecipeWords& words) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [key, text] : words) json[key] = text;
  return DumpJson(json);
}

}  // namespace vggt
