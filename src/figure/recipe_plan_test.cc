// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "export_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

using Kind = RequestError::Kind;

// 3 frames of 25×37 patches: maps of 9×10 cells in 3 layers of 4 heads, and a store of global
// layers 1 and 5 with 3 heads.
class RecipePlanTest : public ::testing::Test {
 protected:
  RecipePlanTest() : folder_(CopyExport(dir_, "conv_per_head", "a")) {
    WriteQkStore(folder_, SmallQkDescription(3, 25, 37));
    export_ = std::make_unique<RecipeExport>(folder_);
  }

  RecipePlan Plan(RecipeWords words, const RecipeExport* other = nullptr) const {
    words.insert(words.begin(), {"export", "a"});
    if (other != nullptr) words.insert(words.begin(), {"other", "b"});
    const Recipe recipe = ReadRecipe(words);
    if (other == nullptr) return PlanRecipe(recipe, export_->source());
    const RecipeSource b = other->source();
    return PlanRecipe(recipe, export_->source(), &b);
  }

  void ExpectRefused(const RecipeWords& words, const std::string& key, Kind kind,
                     const RecipeExport* other = nullptr) const {
    try {
      Plan(words, other);
      ADD_FAILURE() << "is answered: " << words.back().first << "=" << words.back().second;
    } catch (const RequestError& error) {
      EXPECT_EQ(error.field(), key) << error.what();
      EXPECT_EQ(error.kind(), kind) << error.what();
    }
  }

  TestDir dir_;
  fs::path folder_;
  std::unique_ptr<RecipeExport> export_;
};

TEST_F(RecipePlanTest, StoredMapsUnlessSomethingElseIsAsked) {
  const RecipePlan plan = Plan({{"queries", "4.5"}});
  EXPECT_TRUE(plan.stored());
  EXPECT_EQ(AttentionName(plan), "stored");
  EXPECT_EQ(plan.recipe.layer, 3);
  const RecipePart& part = plan.parts.front();
  EXPECT_EQ(part.source.name, "conv_per_head");
  EXPECT_THAT(part.layers, ElementsAre(3));
  EXPECT_THAT(part.places, ElementsAre(2U));
  EXPECT_THAT(part.heads, ElementsAre(kEveryHead));
  EXPECT_THAT(part.frames, ElementsAre(ElementsAre(0, 1, 2)));
  EXPECT_EQ(part.rows, 9);
  EXPECT_EQ(part.cols, 10);
  EXPECT_EQ(UnitName(plan), "attention, a share of 1 over the patches of all frames");
}

TEST_F(RecipePlanTest, FoldersAreNamedWithoutTheirPaths) {
  fs::create_directories(dir_ / "runs/bf16");
  const fs::path other = CopyExport(dir_, "conv_per_head", "runs/bf16/a");
  const auto names = [&](const fs::path& b) {
    const RecipeExport opened(b);
    return FolderNames(Plan({{"queries", "4.5"}}, &opened));
  };
  EXPECT_THAT(FolderNames(Plan({{"queries", "4.5"}})), ElementsAre("a"));
  const std::string above = dir_.path().filename().string();
  EXPECT_THAT(names(other), ElementsAre(above + "/a", "bf16/a"));
  EXPECT_THAT(names(other / "attn_maps"), ElementsAre(above + "/a", "bf16/a"));
  EXPECT_THAT(names(other / ""), ElementsAre(above + "/a", "bf16/a"));
  EXPECT_THAT(names(CopyExport(dir_, "conv_per_head", "runs/b")), ElementsAre("a", "b"));
  EXPECT_THAT(names(folder_), ElementsAre("a", "a"));
}

TEST_F(RecipePlanTest, NamesArePrintable) {
  const RecipeSource a = export_->source();
  const RecipeSource odd{a.described, a.maps, a.rows, "kitchen\n\x1b[31m\xff"};
  const RecipePlan plan = PlanRecipe(ReadRecipe({{"export", "a"}, {"queries", "1.2"}}), odd);
  EXPECT_EQ(plan.parts[0].source.name, "kitchen??[31m?");
}

TEST_F(RecipePlanTest, ExactMapsOfAStore) {
  const RecipePlan plan = Plan({{"queries", "24.36_2~0.0@camera"},
                                {"definition", "cosine"},
                                {"rope", "before"},
                                {"block", "frame"},
                                {"incoming", "1"},
                                {"view", "heads"}});
  EXPECT_EQ(AttentionName(plan), "cosine, before RoPE, frame blocks, incoming");
  EXPECT_EQ(UnitName(plan), "cosine of query and key");
  EXPECT_TRUE(plan.is_signed());
  const RecipePart& part = plan.parts.front();
  EXPECT_EQ(plan.recipe.layer, 1);
  EXPECT_THAT(part.heads, ElementsAre(1, 2, 3));
  EXPECT_EQ(part.rows, 25);
  EXPECT_EQ(part.special_tokens.size(), 2U);
  EXPECT_THAT(part.met, ElementsAre(FrameRange{0, 1}, FrameRange{2, 3}));

  const AttentionRequest request = RequestOf(plan, part, 1);
  EXPECT_EQ(request.kind, BlockKind::kFrame);
  EXPECT_EQ(request.frame, 2);
  EXPECT_THAT(request.tokens, ElementsAre(0));
  EXPECT_THAT(request.heads, ElementsAre(1, 2, 3));
  EXPECT_EQ(request.reduction, HeadReduction::kNone);
  EXPECT_TRUE(request.incoming && request.before_rope);
}

TEST_F(RecipePlanTest, PlacesOfQueries) {
  const RecipePlan plan =
      Plan({{"queries", "1.2_1.2-2.3_1.2+0.0"}, {"definition", "model"}, {"reduce", "max"}});
  const RecipePart& part = plan.parts.front();
  EXPECT_THAT(RequestOf(plan, part, 0).tokens, ElementsAre(2 + 39));
  EXPECT_THAT(RequestOf(plan, part, 1).tokens, ElementsAre(2 + 39, 2 + 40, 2 + 76, 2 + 77));
  EXPECT_THAT(RequestOf(plan, part, 2).tokens, ElementsAre(2 + 39, 2));
  EXPECT_EQ(RequestOf(plan, part, 0).reduction, HeadReduction::kMax);
  EXPECT_THAT(RequestOf(plan, part, 0).heads, ElementsAre(1, 2, 3));
  EXPECT_EQ(HeadWord(plan, kEveryHead), "max");
  EXPECT_EQ(HeadName(plan, kEveryHead), "Maximum");
  EXPECT_EQ(HeadName(plan, 2), "Head 2");
}

TEST_F(RecipePlanTest, ViewsOfAllLayersAndHeads) {
  const RecipePlan plan =
      Plan({{"queries", "1.2"}, {"view", "matrix"}, {"frame", "2"}, {"frames", "0,1"}});
  const RecipePart& part = plan.parts.front();
  EXPECT_THAT(part.layers, ElementsAre(1, 2, 3));
  EXPECT_THAT(part.heads, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(part.frames, ElementsAre(ElementsAre(2)));
  EXPECT_THAT(Plan({{"queries", "1.2"}, {"view", "layers"}, {"head", "4"}}).parts[0].heads,
              ElementsAre(4));
  // Blocks that attend to one frame alone have no other target.
  const RecipePlan frame = Plan({{"queries", "1.2_1~1.2"},
                                 {"view", "matrix"},
                                 {"frame", "2"},
                                 {"block", "frame"},
                                 {"definition", "model"}});
  EXPECT_THAT(frame.parts[0].frames, ElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST_F(RecipePlanTest, WhatAnExportLacks) {
  ExpectRefused({{"queries", "9.0"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "0.10"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "999999.999999"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "1~0.0"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0-1.1"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0@camera"}}, "queries", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0"}, {"layer", "4"}}, "layer", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0"}, {"head", "5"}}, "head", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0"}, {"frames", "0,3"}}, "frames", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0"}, {"view", "matrix"}, {"frame", "3"}}, "frame", Kind::kNotThere);
  const auto exact = [&](RecipeWords words) {
    words.emplace_back("definition", "model");
    return words;
  };
  ExpectRefused(exact({{"queries", "25.0"}}), "queries", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "0.0-0.37"}}), "queries", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "0.0+25.0"}}), "queries", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "3~0.0"}}), "queries", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "0.0@nobody"}}), "queries", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "0.0"}, {"layer", "2"}}), "layer", Kind::kNotThere);
  ExpectRefused(exact({{"queries", "0.0"}, {"head", "4"}}), "head", Kind::kNotThere);
}

TEST_F(RecipePlanTest, StoredMapsAreNotComputed) {
  for (const auto& [key, value] :
       RecipeWords{{"block", "global"}, {"rope", "before"}, {"reduce", "max"}, {"incoming", "1"}}) {
    ExpectRefused({{"queries", "4.5"}, {key, value}}, key, Kind::kMalformed);
    ExpectRefused({{"queries", "4.5"}, {"definition", "stored"}, {key, value}}, key,
                  Kind::kMalformed);
  }
  EXPECT_TRUE(Plan({{"queries", "4.5"}, {"rope", "after"}, {"reduce", "mean"}, {"incoming", "0"}})
                  .stored());
}

TEST_F(RecipePlanTest, WithoutMapsOrWithoutStore) {
  fs::remove_all(folder_ / "attn_maps");
  export_ = std::make_unique<RecipeExport>(folder_);
  EXPECT_EQ(AttentionName(Plan({{"queries", "0.0"}})), "model");
  ExpectRefused({{"queries", "0.0"}, {"definition", "stored"}}, "definition", Kind::kNotThere);

  export_ = std::make_unique<RecipeExport>(CopyExport(dir_, "conv_average", "b"));
  ExpectRefused({{"queries", "0.0"}, {"definition", "model"}}, "definition", Kind::kNotThere);
  ExpectRefused({{"queries", "0.0"}, {"head", "1"}}, "head", Kind::kNotThere);
  EXPECT_THAT(Plan({{"queries", "0.0"}, {"view", "heads"}}).parts[0].heads,
              ElementsAre(kEveryHead));
}

TEST_F(RecipePlanTest, LayersThatCannotBeReadAreNamed) {
  fs::remove(folder_ / "attn_maps/layer_02_metadata.json");
  export_ = std::make_unique<RecipeExport>(folder_);
  const RecipePlan plan = Plan({{"queries", "0.0"}, {"view", "layers"}});
  EXPECT_THAT(plan.parts[0].layers, ElementsAre(1, 3));
  EXPECT_THAT(plan.parts[0].left_out, ElementsAre(2));
  const fs::path other = CopyExport(dir_, "conv_per_head", "b");
  for (const char* layer : {"01", "02"}) {
    fs::remove(other / "attn_maps" / fmt::format("layer_{}_metadata.json", layer));
  }
  const RecipeExport b(other);
  EXPECT_THAT(LeftOutLayers(Plan({{"queries", "0.0"}, {"view", "layers"}}, &b)), ElementsAre(1, 2));
  EXPECT_THAT(LeftOutLayers(Plan({{"queries", "0.0"}}, &b)), ElementsAre());
}

TEST_F(RecipePlanTest, TwoExports) {
  const RecipeExport same(folder_), other(CopyExport(dir_, "conv_average", "b"));
  const RecipePlan plan = Plan({{"queries", "1.2"}, {"compare", "difference"}}, &same);
  EXPECT_TRUE(plan.difference());
  EXPECT_EQ(plan.parts.size(), 2U);
  // Another grid: side by side alone.
  EXPECT_EQ(Plan({{"queries", "1.2"}}, &other).parts[1].rows, 13);
  ExpectRefused({{"queries", "1.2"}, {"compare", "difference"}}, "compare", Kind::kMalformed,
                &other);
  EXPECT_THAT(ErrorOf([&] {
                Plan({{"queries", "1.2"}, {"compare", "difference"}}, &other);
              }),
              HasSubstr("conv_per_head and conv_average differ in their grids"));
  // B must have what is asked of A.
  ExpectRefused({{"queries", "1.2"}, {"head", "2"}}, "head", Kind::kNotThere, &other);
  ExpectRefused({{"queries", "1.2"}, {"definition", "model"}}, "definition", Kind::kNotThere,
                &other);
}

TEST_F(RecipePlanTest, RotatedStoresHaveNoBefore) {
  QkDescription d = SmallQkDescription(3, 25, 37);
  d.blocks.front().rope.type = RopeType::kApplied;
  WriteQkStore(folder_, d);
  export_ = std::make_unique<RecipeExport>(folder_);
  ExpectRefused({{"queries", "0.0"}, {"definition", "model"}, {"rope", "before"}}, "rope",
                Kind::kNotThere);
}

}  // namespace
}  // namespace vggt
