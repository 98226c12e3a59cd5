// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "attention/request_words.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

// A recipe with what is required, and more.
RecipeWords With(const RecipeWords& more) {
  RecipeWords words = {{"export", "a"}, {"queries", "1.2"}};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// A recipe with all keys, none of which is at its default.
RecipeWords EveryKey() {
  return {{"export", "a b/ü"},
          {"other", "b"},
          {"compare", "difference"},
          {"own", "1"},
          {"view", "matrix"},
          {"layer", "12"},
          {"head", "3"},
          {"definition", "cosine"},
          {"block", "frame"},
          {"rope", "before"},
          {"reduce", "max"},
          {"incoming", "1"},
          {"queries", "1.2_2~3.4@register_1"},
          {"frame", "2"},
          {"frames", "2,0"},
          {"colormap", "viridis"},
          {"scale", "fixed"},
          {"fixed", "0.25"},
          {"gamma", "0.5"},
          {"log", "1"},
          {"opacity", "0.75"},
          {"smooth", "1"},
          {"alone", "1"},
          {"matches", "0"},
          {"lines", "1"},
          {"width", "85.5"},
          {"dpi", "600"},
          {"title", "0"},
          {"footer", "0"}};
}

// The key that an error is about.
std::string FieldOf(const RecipeWords& words) {
  try {
    ReadRecipe(words);
  } catch (const RequestError& error) {
    EXPECT_EQ(error.kind(), RequestError::Kind::kMalformed);
    return error.field();
  }
  return "none";
}

TEST(Recipe, Defaults) {
  const Recipe r = ReadRecipe(With({}));
  EXPECT_EQ(r.export_id, "a");
  EXPECT_EQ(r.queries, (std::vector<Spot>{{0, {1, 2}, {}, {}, ""}}));
  EXPECT_FALSE(r.other || r.layer || r.definition || r.block || r.stored);
  EXPECT_EQ(r.view, RecipeView::kFrames);
  EXPECT_EQ(r.scale, ScaleMode::kView);
  EXPECT_EQ(r.head, kEveryHead);
  EXPECT_TRUE(r.frames.empty());
  EXPECT_EQ(r.colormap, Colormap::kJet);
  EXPECT_EQ(WriteRecipe(r), With({}));
}

TEST(Recipe, EveryKeyIsReadAndWritten) {
  const RecipeWords words = EveryKey();
  ASSERT_EQ(words.size(), RecipeKeys().size());
  for (size_t i = 0; i < words.size(); ++i) EXPECT_EQ(words[i].first, RecipeKeys()[i]);
  const Recipe r = ReadRecipe(words);
  EXPECT_EQ(r.definition, Definition::kCosine);
  EXPECT_EQ(r.block, BlockKind::kFrame);
  EXPECT_EQ(r.frames, (std::vector<int>{2, 0}));
  EXPECT_EQ(r.scale, ScaleMode::kFixed);
  EXPECT_EQ(r.width, 85.5);
  EXPECT_EQ(r.reduce, HeadReduction::kMax);
  EXPECT_EQ(WriteRecipe(r), words);
  // In any order.
  RecipeWords reversed(words.rbegin(), words.rend());
  EXPECT_EQ(WriteRecipe(ReadRecipe(reversed)), words);
}

TEST(Recipe, StoredMapsAreADefinition) {
  const Recipe r = ReadRecipe(With({{"definition", "stored"}}));
  EXPECT_TRUE(r.stored);
  EXPECT_FALSE(r.definition);
  EXPECT_EQ(WriteRecipe(r),
            (RecipeWords{{"export", "a"}, {"definition", "stored"}, {"queries", "1.2"}}));
}

TEST(Recipe, WhatIsMissing) {
  EXPECT_EQ(FieldOf({}), "export");
  EXPECT_EQ(FieldOf({{"export", "a"}}), "queries");
  EXPECT_EQ(FieldOf({{"queries", "1.2"}}), "export");
  EXPECT_EQ(FieldOf(With({{"compare", "difference"}})), "compare");
  EXPECT_EQ(FieldOf(With({{"own", "1"}})), "own");
}

TEST(Recipe, ErrorsNameTheKey) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
      {"compare", {"", "minus", "Side"}},
      {"view", {"", "all", "frames "}},
      {"layer", {"", "0", "-1", "1.5", "all", "1000000000", "99999999999999999999", "nan", "1,2"}},
      {"head", {"", "0", "max", "all", "1,2", "99999999999999999999"}},
      {"definition", {"", "Model", "softmax"}},
      {"block", {"", "all"}},
      {"rope", {"", "none"}},
      {"reduce", {"", "none"}},
      {"incoming", {"", "2", "true"}},
      {"frame", {"", "-1", "all", "1000000000"}},
      {"frames", {"", "0,0", "0,", ",", "a", "-1", "0;1"}},
      {"colormap", {"", "Jet", "coolwarm", "blue_red"}},
      {"scale", {"", "all"}},
      {"fixed", {"", "0", "1e-10", "1.5", "nan", "inf", "-0.1", "0.1x", "0x1p-3", " 0.1"}},
      {"gamma", {"", "0", "0.1", "3.5", "nan", "infinity"}},
      {"opacity", {"", "-0.1", "1.1", "nan"}},
      {"log", {"", "yes"}},
      {"width", {"", "39", "401", "nan", "1e400"}},
      {"dpi", {"", "71", "601", "300.5", "nan", "3e2"}},
      {"title", {"", "-1"}},
      {"unknown", {"1"}},
      {"", {"1"}},
  };
  for (const auto& [key, values] : wrong) {
    for (const std::string& value : values) {
      EXPECT_EQ(FieldOf(With({{key, value}})), key) << key << "=" << value;
    }
  }
  EXPECT_EQ(FieldOf(With({{"other", std::string("b\0", 2)}})), "other");
  EXPECT_THAT(ErrorOf([] { ReadRecipe(With({{"colour", "jet"}})); }), HasSubstr("colormap"));
}

TEST(Recipe, NothingTwice) {
  for (const auto& [key, value] : EveryKey()) {
    RecipeWords words = EveryKey();
    words.emplace_back(key, value);
    EXPECT_EQ(FieldOf(words), key);
  }
}

TEST(Recipe, LongLists) {
  std::string queries, frames = "0";
  for (int i = 0; i < 5; ++i) queries += fmt::format("{}{}.0", i > 0 ? "_" : "", i);
  EXPECT_EQ(FieldOf({{"export", "a"}, {"queries", queries}}), "queries");
  for (int i = 1; i < 2000; ++i) frames += fmt::format(",{}", i);
  EXPECT_EQ(ReadRecipe(With({{"frames", frames}})).frames.size(), 2000U);
  EXPECT_EQ(FieldOf(With({{"frames", frames + frames + frames}})), "frames");
  EXPECT_EQ(FieldOf(With({{"other", std::string(20'000, 'x')}})), "other");
}

TEST(Recipe, AsJson) {
  const RecipeWords words = ParseRecipeJson(
      R"({"export": "a", "queries": ["1.2", "2~3.4"], "layer": 12, "log": true, "title": false,
          "frames": [0, 2], "gamma": 0.5, "other": "b"})",
      "recipe");
  const Recipe r = ReadRecipe(words);
  EXPECT_EQ(r.queries.size(), 2U);
  EXPECT_EQ(r.layer, 12);
  EXPECT_TRUE(r.log);
  EXPECT_FALSE(r.title);
  EXPECT_EQ(r.frames, (std::vector<int>{0, 2}));
  EXPECT_EQ(r.gamma, 0.5);
  EXPECT_EQ(WriteRecipe(ReadRecipe(ParseRecipeJson(RecipeJsonText(WriteRecipe(r)), "again"))),
            WriteRecipe(r));
}

TEST(Recipe, JsonThatIsNoRecipe) {
  for (const std::string text :
       {"", "[]", "1", "{", R"({"export": "a", "export": "b"})", R"({"export": null})",
        R"({"export": {"path": "a"}})", R"({"layer": [1]})", R"({"queries": []})",
        R"({"queries": [["1.2"]]})", R"({"frames": [null]})", R"({"gamma": NaN})"}) {
    EXPECT_THROW(ParseRecipeJson(text, "recipe.json"), Error) << text;
  }
  EXPECT_THAT(ErrorOf([] { ParseRecipeJson("[]", "recipe.json"); }), HasSubstr("recipe.json"));
  EXPECT_THAT(ErrorOf([] { ParseRecipeJson(R"({"layer": null})", ""); }), HasSubstr("layer"));
}

// The number 12.10 is another place than the text.
TEST(Recipe, PlacesAreNoNumbers) {
  for (const char* text :
       {R"({"export": "a", "queries": 12.10})", R"({"queries": ["1.2", 3.40]})"}) {
    try {
      ParseRecipeJson(text, "recipe.json");
      ADD_FAILURE() << text;
    } catch (const RequestError& error) {
      EXPECT_EQ(error.field(), "queries");
    }
  }
}

}  // namespace
}  // namespace vggt
