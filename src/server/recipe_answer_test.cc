// SPDX-License-Identifier: Apache-2.0
#include "server/recipe_answer.h"

#include <gmock/gmock.h>

#include <chrono>

#include "attention/request_words.h"
#include "routes_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using ::testing::HasSubstr;
using testing::HeaderOf;
using ::testing::StartsWith;
using testing::TestDir;

using Params = RequestParams;

class RecipeAnswerTest : public ::testing::Test {
 protected:
  RecipeAnswerTest() {
    const fs::path a = CopyExport(dir_, "conv_per_head", "a");
    testing::WriteQkStore(a, testing::SmallQkDescription(3, 25, 37));
    CopyExport(dir_, "conv_average", "b");
    catalog_ = std::make_unique<ExportCatalog>(dir_.path());
    a_ = catalog_->Open("a");
  }

  Response Get(const std::string& path, const Params& params,
               std::chrono::milliseconds answer_time = kAnswerTime) const {
    Request request;
    request.method = "GET";
    request.path = path;
    request.params = params;
    request.host = "localhost";
    return Routes(*catalog_, AccessRule{"127.0.0.1", ""}, answer_time).Handle(request);
  }

  // The error of an answer, after a look at its status.
  Json ErrorOf(const Response& response, int status) const {
    EXPECT_EQ(response.status, status) << response.body;
    return ParseJson(response.body, "answer")["error"];
  }

  TestDir dir_;
  std::unique_ptr<ExportCatalog> catalog_;
  std::shared_ptr<const OpenedExport> a_;
};

TEST_F(RecipeAnswerTest, OpensWhatTheRecipeNames) {
  const OpenedRecipe one({{"queries", "4.5"}}, *a_, *catalog_);
  EXPECT_EQ(one.plan().recipe.export_id, "a");
  EXPECT_EQ(one.plan().parts.size(), 1U);
  const OpenedRecipe two({{"queries", "4.5"}, {"export", "a"}, {"other", "b"}}, *a_, *catalog_);
  ASSERT_EQ(two.plan().parts.size(), 2U);
  EXPECT_EQ(two.plan().parts[1].source.name, "conv_average");
  EXPECT_THROW(OpenedRecipe({{"queries", "4.5"}, {"other", "../outside"}}, *a_, *catalog_),
               Refusal);
  EXPECT_THROW(OpenedRecipe({{"queries", "4.5"}, {"path", "a"}}, *a_, *catalog_), RequestError);
}

TEST_F(RecipeAnswerTest, FilesHaveNames) {
  const Response response = SavedFileResponse("body", "text/csv", "Küche \"1\".csv");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "body");
  EXPECT_EQ(HeaderOf(response, "Content-Disposition"),
            "attachment; filename=\"K__che _1_.csv\"; filename*=UTF-8''K%C3%BCche%20%221%22.csv");
}

TEST_F(RecipeAnswerTest, FiguresOfEveryKind) {
  const std::vector<std::tuple<std::string, std::string, std::string>> kinds = {
      {"png", "image/png", "\x89PNG"},
      {"svg", "image/svg+xml", "<?xml"},
      {"pdf", "application/pdf", "%PDF-"}};
  for (const auto& [extension, type, magic] : kinds) {
    const Response response =
        Get("/api/figure." + extension, {{"queries", "4.5"}, {"dpi", "72"}, {"export", "a"}});
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, type);
    EXPECT_EQ(HeaderOf(response, "X-Export"), "a");
    EXPECT_EQ(HeaderOf(response, "Cache-Control"), "no-store");
    EXPECT_THAT(HeaderOf(response, "Content-Disposition"),
                StartsWith("attachment; filename=\"conv_per_head_layer3_headmean_row4_col5." +
                           extension + "\""));
    EXPECT_THAT(response.body, StartsWith(magic));
  }
}

TEST_F(RecipeAnswerTest, ARecipeIsAFileThatDrawsTheSame) {
  const Response response = Get(
      "/api/recipe.json", {{"export", "a"}, {"other", "b"}, {"queries", "4.5"}, {"gamma", "0.5"}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(HeaderOf(response, "Content-Disposition"), HasSubstr("_row4_col5.recipe.json\""));
  const Recipe recipe = ReadRecipe(ParseRecipeJson(response.body, "recipe.json"));
  EXPECT_EQ(recipe.export_id, a_->path);
  EXPECT_EQ(recipe.other, catalog_->Get("b")->path);
  EXPECT_EQ(recipe.gamma, 0.5);
  EXPECT_EQ(recipe.queries.size(), 1U);
}

TEST_F(RecipeAnswerTest, TheSameRecipeMakesTheSameFile) {
  const Params params = {{"queries", "4.5_1~3.4"}, {"definition", "model"}, {"dpi", "72"}};
  EXPECT_EQ(Get("/api/figure.png", params).body, Get("/api/figure.png", params).body);
}

TEST_F(RecipeAnswerTest, TwoExportsSideBySide) {
  const Response response =
      Get("/api/figure.png", {{"queries", "4.5"}, {"other", "b"}, {"dpi", "72"}});
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(HeaderOf(response, "Content-Disposition"), HasSubstr("conv_per_head_and_b"));
  const Json error = ErrorOf(
      Get("/api/figure.png", {{"queries", "4.5"}, {"other", "b"}, {"compare", "difference"}}), 400);
  EXPECT_EQ(error["where"], "compare");
}

TEST_F(RecipeAnswerTest, RefusalsNameTheKey) {
  const auto where = [&](const Params& params, int status) {
    return ErrorOf(Get("/api/figure.png", params), status)["where"].get<std::string>();
  };
  EXPECT_EQ(where({}, 400), "queries");
  EXPECT_EQ(where({{"queries", "here"}}, 400), "queries");
  EXPECT_EQ(where({{"queries", "4.5"}, {"queries", "4.5"}}, 400), "queries");
  EXPECT_EQ(where({{"queries", "4.5"}, {"gamma", "nan"}}, 400), "gamma");
  EXPECT_EQ(where({{"queries", "4.5"}, {"colour", "jet"}}, 400), "colour");
  EXPECT_EQ(where({{"queries", "4.5"}, {"layer", "9"}}, 404), "layer");
  EXPECT_EQ(where({{"queries", "9.0"}}, 404), "queries");
  EXPECT_EQ(where({{"queries", "0.0@nobody"}, {"definition", "model"}}, 404), "queries");
  EXPECT_EQ(Get("/api/figure.png", {{"queries", "4.5"}, {"other", "c"}}).status, 404);
  EXPECT_EQ(Get("/api/figure.png", {{"queries", "4.5"}, {"other", "../a"}}).status, 403);
  EXPECT_EQ(Get("/api/figure.png", {{"queries", "4.5"}, {"export", "c"}}).status, 404);
  EXPECT_EQ(Get("/api/figure.gif", {{"queries", "4.5"}}).status, 404);
  EXPECT_EQ(Get("/api/figure.", {{"queries", "4.5"}}).status, 404);
}

TEST_F(RecipeAnswerTest, SaysWhichLayersAreLeftOut) {
  testing::ReplaceInFile(dir_ / "a/attn_maps/layer_02_metadata.json", "\"H_ds\": ", "\"H_ds\": -");
  catalog_ = std::make_unique<ExportCatalog>(dir_.path());
  a_ = catalog_->Open("a");
  for (const char* path : {"/api/numbers.csv", "/api/numbers.npy", "/api/figure.svg"}) {
    Params params = {{"queries", "4.5"}, {"export", "a"}};
    EXPECT_EQ(HeaderOf(Get(path, params), "X-Left-Out"), "") << path;
    params.emplace_back("view", "layers");
    const Response response = Get(path, params);
    EXPECT_EQ(HeaderOf(response, "X-Left-Out"), "2") << path;
    if (std::string(path) != "/api/numbers.npy") continue;
    EXPECT_EQ(ParseNpy(testing::AsBytes(response.body), "answer").shape, (Shape{2, 1, 3, 9, 10}));
  }
}

TEST_F(RecipeAnswerTest, IsGivenUpInTime) {
  const Response response = Get("/api/figure.png", {{"queries", "4.5"}, {"definition", "model"}},
                                std::chrono::milliseconds(0));
  EXPECT_EQ(response.status, 503);
}

TEST_F(RecipeAnswerTest, ADamagedPictureIsNamed) {
  WriteFileAtomic(dir_ / "a/images/frame_01.png", std::string("no picture"));
  const Response response = Get("/api/figure.png", {{"queries", "4.5"}});
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.body, HasSubstr("frame_01.png"));
}

}  // namespace
}  // namespace vggt
