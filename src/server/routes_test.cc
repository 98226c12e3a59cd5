// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "routes_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ArraysOf;
using testing::BodyOf;
using testing::CopyExport;
using ::testing::HasSubstr;
using testing::HeaderOf;
using testing::ReplaceInFile;
using testing::RoutesTest;
using testing::StoreRoutesTest;
using testing::WhatOf;

TEST_F(RoutesTest, ThePageAndItsAssets) {
  const Response page = Get("/", {{"layer", "12"}, {"anything", "<script>"}});
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(HeaderOf(page, "Cache-Control"), "no-cache");
  EXPECT_EQ(Get("/app.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(Get("/app.css").status, 200);

  Request again;
  again.method = "GET";
  again.path = "/app.js";
  again.host = "localhost";
  again.if_none_match = HeaderOf(Get("/app.js"), "ETag");
  EXPECT_EQ(routes_->Handle(again).status, 304);
  EXPECT_EQ(routes_->Handle(again).body, "");
}

TEST_F(RoutesTest, DescribesTheExport) {
  const Response response = Get("/api/export");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(BodyOf(response)["id"], "a");
  EXPECT_EQ(BodyOf(Get("/api/export", {{"export", "b"}}))["heads"], 0);
  EXPECT_EQ(BodyOf(Get("/api/export"))["id"], "a");
}

TEST_F(RoutesTest, ListsExports) {
  const Json list = BodyOf(Get("/api/exports"));
  EXPECT_EQ(list["root"], fs::canonical(dir_ / "root").string());
  ASSERT_EQ(list["exports"].size(), 2U);
  EXPECT_EQ(list["exports"][1]["id"], "b");
  EXPECT_FALSE(list["truncated"]);
}

TEST_F(RoutesTest, Pictures) {
  const std::string url = BodyOf(Get("/api/export"))["frames"][2]["url"];
  EXPECT_EQ(url, "api/frames/2?export=a");
  const Response picture = Get("/api/frames/2", {{"export", "a"}});
  EXPECT_EQ(picture.status, 200);
  EXPECT_EQ(picture.content_type, "image/png");
  EXPECT_EQ(picture.body, ReadFile(export_ / "images/frame_02.png"));
  EXPECT_EQ(HeaderOf(picture, "Cache-Control"), "no-cache");
  Request again;
  again.method = "GET";
  again.path = "/api/frames/2";
  again.host = "localhost";
  again.if_none_match = HeaderOf(picture, "ETag");
  EXPECT_EQ(routes_->Handle(again).status, 304);

  EXPECT_EQ(Get("/api/frames/3").status, 404);
  for (const char* wrong : {"", "x", "-1", "1x", "1e3", "0/../1", "99999999999999999999"}) {
    EXPECT_EQ(Get(std::string("/api/frames/") + wrong).status, 400) << wrong;
  }
  fs::remove(export_ / "images/frame_01.png");
  EXPECT_EQ(Get("/api/frames/1").status, 404);
  EXPECT_EQ(Get("/api/frames/0").status, 200);
}

TEST_F(RoutesTest, OneMap) {
  const Response response = Maps({{"layers", "2"}, {"heads", "3"}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type, "application/octet-stream");
  const auto [npy, scales] = ArraysOf(response);
  EXPECT_EQ(npy.descr, "|u1");
  EXPECT_EQ(npy.shape, (Shape{1, 1, 3, 9, 10}));
  // As stored: [queries, heads, frames, height, width].
  const StoredMaps stored = ReadMaps(OpenExport(export_).maps[1]);
  const size_t map = 3 * 9 * 10, at = ((4 * 10 + 5) * 4 + 2) * map;
  EXPECT_TRUE(std::equal(npy.data.begin(), npy.data.end(), stored.levels.begin() + at,
                         stored.levels.begin() + static_cast<std::ptrdiff_t>(at + map)));
  const Json layer = BodyOf(Get("/api/export"))["layers"][1];
  EXPECT_THAT(scales, ::testing::ElementsAre(layer["per_head_vmax99"][2].get<double>()));
  EXPECT_THAT(HeaderOf(response, "Server-Timing"), HasSubstr("maps;dur="));
}

TEST_F(RoutesTest, ManyMapsInTheOrderAsked) {
  const Response all = Maps({{"layers", "all"}, {"heads", "all"}});
  const auto [whole, scales] = ArraysOf(all);
  ASSERT_EQ(whole.shape, (Shape{3, 4, 3, 9, 10}));
  const Response some = Maps({{"layers", "3,1"}, {"heads", "4,2"}, {"frames", "2,0"}});
  const auto [part, part_scales] = ArraysOf(some);
  ASSERT_EQ(part.shape, (Shape{2, 2, 2, 9, 10}));
  const size_t cells = 90;
  const size_t layers[] = {2, 0}, heads[] = {3, 1}, frames[] = {2, 0};
  size_t at = 0, scale = 0;
  for (const size_t layer : layers) {
    for (const size_t head : heads) {
      EXPECT_EQ(part_scales[scale++], scales[layer * 4 + head]);
      for (const size_t frame : frames) {
        const auto from = whole.data.subspan(((layer * 4 + head) * 3 + frame) * cells, cells);
        EXPECT_TRUE(std::equal(from.begin(), from.end(), part.data.begin() + at));
        at += cells;
      }
    }
  }
}

TEST_F(RoutesTest, ScalesAsJson) {
  const Response response =
      Maps({{"layers", "3,1"}, {"heads", "2,4"}, {"frames", "1"}}, "/api/maps.json");
  const Json json = BodyOf(response);
  EXPECT_EQ(json["layers"].dump(), "[3,1]");
  EXPECT_EQ(json["heads"].dump(), "[2,4]");
  EXPECT_EQ(json["frames"].dump(), "[1]");
  EXPECT_EQ(json["row"], 4);
  EXPECT_EQ(json["col"], 5);
  EXPECT_EQ(json["shape"].dump(), "[2,2,1,9,10]");
  const Json described = BodyOf(Get("/api/export"));
  EXPECT_DOUBLE_EQ(json["scales"][0][1], described["layers"][2]["per_head_vmax99"][3]);
  EXPECT_DOUBLE_EQ(json["scales"][1][0], described["layers"][0]["per_head_vmax99"][1]);
}

TEST_F(RoutesTest, TheMeanIsTheDefault) {
  const Json json = BodyOf(Maps({}, "/api/maps.json"));
  EXPECT_EQ(json["layers"].dump(), "[3]");
  EXPECT_EQ(json["heads"].dump(), R"(["mean"])");
  EXPECT_EQ(json["shape"].dump(), "[1,1,3,9,10]");
  const Response npy = Maps({{"heads", "mean"}});
  EXPECT_EQ(npy.body, Maps({}).body);
  EXPECT_EQ(ArraysOf(npy).second[0], json["scales"][0][0].get<double>());
}

TEST_F(RoutesTest, AnAveragedExport) {
  const Response response = Maps({{"export", "b"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(ArraysOf(response).first.shape.size(), 5U);
  EXPECT_EQ(Maps({{"export", "b"}, {"heads", "1"}}).status, 400);
}

TEST_F(RoutesTest, WrongQueries) {
  EXPECT_EQ(Maps({{"layers", "4"}}).status, 404);
  EXPECT_EQ(Maps({{"layers", "1,1"}}).status, 400);
  EXPECT_EQ(Maps({{"heads", "5"}}).status, 400);
  EXPECT_EQ(Maps({{"frames", "3"}}).status, 400);
  EXPECT_EQ(Maps({{"row", "1"}}).status, 400);
  EXPECT_EQ(Maps({{"export", "a"}, {"export", "b"}}).status, 400);
  EXPECT_EQ(Get("/api/maps.npy", {{"row", "9"}, {"col", "0"}}).status, 400);
  EXPECT_EQ(Get("/api/maps.npy").status, 400);
  EXPECT_THAT(WhatOf(Get("/api/maps.json", {{"row", "0"}})), HasSubstr("'col' is missing"));
}

TEST_F(RoutesTest, Opens) {
  const Response response = Post(R"({"path": "b"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(BodyOf(response)["id"], "b");
  EXPECT_EQ(HeaderOf(response, "X-Export"), "b");
  EXPECT_EQ(BodyOf(Post(Json{{"path", export_.string()}}.dump()))["id"], "a");
  EXPECT_EQ(Post(R"({"path": "a"})", "application/json; charset=utf-8").status, 200);
}

// What a page opens changes nothing for scripts and other pages.
TEST_F(RoutesTest, OpeningAnExportChangesNoOthersAnswers) {
  const std::string before = Maps({}).body;
  ASSERT_EQ(Post(R"({"path": "b"})").status, 200);
  EXPECT_EQ(BodyOf(Get("/api/export"))["id"], "a");
  EXPECT_EQ(Maps({}).body, before);
  EXPECT_NE(Maps({{"export", "b"}}).body, before);
  EXPECT_EQ(Maps({}).body, before);
}

TEST_F(RoutesTest, AnswersSayWhichExportTheyAreFrom) {
  CopyExport(dir_, "conv_average", "root/sets/küche 2");
  const std::string id = "sets/küche 2", encoded = "sets%2Fk%C3%BCche%202";
  for (const auto& [params, header] :
       {std::pair<RequestParams, std::string>{{}, "a"}, {{{"export", id}}, encoded}}) {
    for (const char* path : {"/api/export", "/api/frames/0"}) {
      EXPECT_EQ(HeaderOf(Get(path, params), "X-Export"), header) << path;
    }
    EXPECT_EQ(HeaderOf(Maps(params), "X-Export"), header);
    EXPECT_EQ(BodyOf(Maps(params, "/api/maps.json"))["export"], params.empty() ? "a" : id);
    // Whatever an export cannot answer, too.
    EXPECT_EQ(HeaderOf(Get("/api/frames/99", params), "X-Export"), header);
  }
  for (const Response& other : {Get("/api/exports"), Get("/"), Get("/api/none"),
                                Get("/api/export", {{"export", "missing"}})}) {
    EXPECT_EQ(HeaderOf(other, "X-Export"), "");
  }
}

TEST_F(RoutesTest, OpensNothingElse) {
  EXPECT_EQ(Post(R"({"path": "../outside"})").status, 403);
  EXPECT_EQ(Post(R"({"path": "/etc/passwd"})").status, 403);
  EXPECT_EQ(Post(R"({"path": "missing"})").status, 404);
  EXPECT_EQ(Post(R"({"path": "a/images"})").status, 422);
  EXPECT_EQ(Post(R"({"path": "a/images/frame_00.png"})").status, 422);
  EXPECT_EQ(Post(R"({"path": ""})").status, 400);
  EXPECT_EQ(Post(R"({"path": "a\u0000"})").status, 400);
  for (const char* body : {"", "{", "[]", "{}", R"({"path": 7})", R"({"path": null})", "null"}) {
    EXPECT_EQ(Post(body).status, 400) << body;
  }
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(Post(R"({"path": "b"})", type).status, 415) << type;
  }
  EXPECT_EQ(BodyOf(Get("/api/export"))["id"], "a");
}

TEST_F(RoutesTest, AddressesAndMethods) {
  for (const char* path :
       {"/none", "/api/", "/api/none", "/api/export/", "//", "/../etc/passwd", "/app.js/.."}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
  EXPECT_EQ(Get("/api/open").status, 405);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    for (const char* path : {"/", "/api/export", "/api/maps.npy", "/api/frames/0"}) {
      Request request;
      request.method = method;
      request.path = path;
      request.host = "localhost";
      EXPECT_EQ(routes_->Handle(request).status, 405) << method << " " << path;
    }
  }
}

TEST_F(RoutesTest, OtherSitesAreRefused) {
  Request request;
  request.method = "GET";
  for (const char* path : {"/", "/api/export", "/api/frames/0", "/api/none"}) {
    request.path = path;
    request.host = "evil.example";
    EXPECT_EQ(routes_->Handle(request).status, 403) << path;
    request.host = "";
    EXPECT_EQ(routes_->Handle(request).status, 403) << path;
    request.host = "localhost";
    request.origin = "http://evil.example";
    EXPECT_EQ(routes_->Handle(request).status, 403) << path;
    request.origin = "";
  }
  request.path = "/api/maps.npy";
  request.fetch_site = "cross-site";
  EXPECT_EQ(routes_->Handle(request).status, 403);
  request.path = "/";
  EXPECT_EQ(routes_->Handle(request).status, 200);
}

TEST_F(RoutesTest, IdsDoNotLeadOutside) {
  for (const char* path : {"/api/export", "/api/frames/0"}) {
    EXPECT_EQ(Get(path, {{"export", "../outside"}}).status, 403) << path;
    EXPECT_EQ(Get(path, {{"export", "/etc"}}).status, 403) << path;
    EXPECT_EQ(Get(path, {{"export", "missing"}}).status, 404) << path;
  }
  EXPECT_EQ(Maps({{"export", "../outside"}}).status, 403);
}

TEST_F(RoutesTest, ABrokenLayerLeavesTheOthers) {
  fs::resize_file(export_ / "attn_maps/layer_02/heatmaps_uint8.npz", 200);
  fs::remove(export_ / "attn_maps/layer_01/heatmaps_uint8.npz");
  ASSERT_EQ(Post(R"({"path": "a"})").status, 200);
  EXPECT_EQ(Maps({{"layers", "3"}}).status, 200);
  EXPECT_EQ(Maps({{"layers", "2"}}).status, 422);
  const Response missing = Maps({{"layers", "1"}});
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(missing.body, HasSubstr("layer_01"));
  EXPECT_EQ(Maps({{"layers", "all"}}).status, 404);
}

// Metadata that say nothing of heads have the array counted when the export is opened.
TEST_F(RoutesTest, ALayerKnownToBeDamagedIsNoMissingOne) {
  const fs::path metadata = export_ / "attn_maps/layer_02_metadata.json";
  ReplaceInFile(metadata, R"("normalized_by": "per_head_vmax99")", R"("other": 1)");
  for (const char* key : {"num_heads", "per_head_vmax99", "per_head_data"}) {
    ReplaceInFile(metadata, fmt::format("\"{}\"", key), fmt::format("\"no_{}\"", key));
  }
  fs::resize_file(export_ / "attn_maps/layer_02/heatmaps_uint8.npz", 200);
  ASSERT_EQ(Post(R"({"path": "a"})").status, 200);
  ASSERT_TRUE(BodyOf(Get("/api/export"))["layers"][1]["error"].is_string());
  const Response damaged = Maps({{"layers", "2"}});
  EXPECT_EQ(damaged.status, 422);
  EXPECT_THAT(BodyOf(damaged)["error"]["where"].get<std::string>(), HasSubstr("layer_02"));
  EXPECT_THAT(WhatOf(damaged), ::testing::Not(HasSubstr("layer_02")));
  EXPECT_EQ(Maps({{"layers", "3"}}).status, 200);
}

// Proxies and clients refuse headers of some kilobytes.
TEST_F(RoutesTest, HeadersAreShort) {
  for (const char* path : {"/", "/app.js", "/api/export", "/api/exports", "/api/frames/0"}) {
    for (const auto& [name, value] : Get(path).headers) EXPECT_LT(value.size(), 1000U) << name;
  }
  for (const auto& [name, value] : Maps({{"layers", "all"}, {"heads", "all"}}).headers) {
    EXPECT_LT(value.size(), 100U) << name;
  }
}

TEST_F(RoutesTest, DamagedArtifacts) {
  const fs::path b = dir_ / "root/b/attn_maps";
  ReplaceInFile(b / "layer_02_metadata.json", "\"H_ds\": ", "\"H_ds\": -");
  EXPECT_EQ(Post(R"({"path": "b"})").status, 200);
  const Json damaged = BodyOf(Get("/api/export", {{"export", "b"}}))["layers"][1];
  EXPECT_THAT(damaged["error"].get<std::string>(), HasSubstr("H_ds"));
  EXPECT_EQ(Maps({{"export", "b"}, {"layers", "2"}}).status, 422);
  EXPECT_EQ(Maps({{"export", "b"}, {"layers", "3"}}).status, 200);
  dir_.Write("root/b/attn_maps/layers_manifest.json", R"({"layers": "\u001b[31m\nx"})");
  const Response response = Post(R"({"path": "b"})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body.find('\x1b'), std::string::npos);
  EXPECT_EQ(Maps({}).status, 200);
}

TEST_F(RoutesTest, NothingOpenYet) {
  ExportCatalog catalog(dir_ / "root");
  const Routes routes(catalog, AccessRule{"127.0.0.1", ""});
  Request request;
  request.method = "GET";
  request.path = "/api/export";
  request.host = "localhost";
  const Response response = routes.Handle(request);
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(WhatOf(response), "no export is open");
}

TEST_F(RoutesTest, AreBelowTheAddressOfAProxy) {
  const Routes routes(*catalog_, AccessRule{"127.0.0.1", "", {"hub.example"}}, kAnswerTime,
                      "/proxy/7860");
  Request request;
  request.method = "GET";
  request.host = "hub.example";
  const auto status = [&](const std::string& path) {
    request.path = path;
    return routes.Handle(request).status;
  };
  // A proxy may hand on the whole address, or what stands behind its own part.
  for (const char* path : {"/proxy/7860/", "/proxy/7860/app.js", "/proxy/7860/api/export", "/",
                           "/app.js", "/api/export"}) {
    EXPECT_EQ(status(path), 200) << path;
  }
  EXPECT_EQ(status("/proxy/78601/"), 404);
  EXPECT_EQ(status("/proxy/7860"), 308);
  EXPECT_EQ(HeaderOf(routes.Handle(request), "Location"), "/proxy/7860/");
  request.host = "evil.example";
  EXPECT_EQ(status("/proxy/7860"), 403);
  EXPECT_EQ(status("/proxy/7860/api/export"), 403);
}

TEST_F(StoreRoutesTest, AnExportSaysWhatItsStoreHolds) {
  const Json store = BodyOf(Get("/api/export"))["store"];
  ASSERT_EQ(store["blocks"].size(), 3U);
  EXPECT_EQ(store["blocks"][0]["kind"], "global");
  EXPECT_EQ(store["blocks"][0]["layers"], Json({1, 5}));
  EXPECT_EQ(store["blocks"][0]["special_tokens"], Json({"camera", "register_1"}));
  EXPECT_EQ(store["blocks"][1]["attends"], "frame");
  EXPECT_EQ(store["blocks"][2]["rope"], "none");
  EXPECT_EQ(store["definitions"][0]["name"], "model");
  EXPECT_TRUE(BodyOf(Get("/api/export", {{"export", "b"}}))["store"].is_null());
}

TEST_F(StoreRoutesTest, NumbersOfRecipes) {
  const RequestParams recipe = {
      {"queries", "4.5_1~2.3"}, {"definition", "model"}, {"view", "matrix"}, {"frame", "1"}};
  const Response table = Get("/api/numbers.csv", recipe);
  ASSERT_EQ(table.status, 200) << table.body;
  EXPECT_EQ(HeaderOf(table, "X-Export"), "a");
  EXPECT_EQ(HeaderOf(table, "Cache-Control"), "no-store");
  EXPECT_THAT(table.body, ::testing::StartsWith("scene,definition,query,layer,"));
  EXPECT_THAT(table.body, HasSubstr("\nconv_per_head,model,1~2.3,5,3,1,"));
  const Response array = Get("/api/numbers.npy", recipe);
  ASSERT_EQ(array.status, 200) << array.body;
  EXPECT_EQ(ParseNpy(testing::AsBytes(array.body), "numbers").shape.size(), 6U);
  // Looks change nothing, but wrong ones are refused.
  RequestParams with_looks = recipe;
  with_looks.emplace_back("colormap", "viridis");
  EXPECT_EQ(Get("/api/numbers.csv", with_looks).body, table.body);
  with_looks.back().second = "rainbow";
  EXPECT_EQ(BodyOf(Get("/api/numbers.csv", with_looks))["error"]["where"], "colormap");
  EXPECT_EQ(Get("/api/numbers.csv", {{"queries", "99.0"}}).status, 404);
  EXPECT_EQ(Get("/api/numbers.csv").status, 400);
  EXPECT_EQ(Get("/api/numbers.txt", recipe).status, 404);
}

TEST_F(StoreRoutesTest, StoredMapsAreAnsweredAsBefore) {
  const Response response = Maps({});
  EXPECT_EQ(ArraysOf(response).first.descr, "|u1");
}

TEST_F(StoreRoutesTest, AStoreThatCannotBeReadLeavesTheMaps) {
  ReplaceInFile(export_ / "qk/attention.json", "\"format_version\": 2", "\"format_version\": 9");
  catalog_->Open("a");
  const Json json = BodyOf(Get("/api/export"));
  EXPECT_TRUE(json["store"].is_null());
  EXPECT_THAT(json["notices"].dump(), HasSubstr("format version 9, expected 1"));
  EXPECT_EQ(Maps({}).status, 200);
}

TEST_F(StoreRoutesTest, AStoreAloneIsAnExport) {
  fs::remove_all(export_ / "attn_maps");
  catalog_->Open("a");
  const Json json = BodyOf(Get("/api/export"));
  EXPECT_EQ(json["id"], "a");
  EXPECT_EQ(json["layers"].size(), 2U);
  EXPECT_THAT(json["layers"][0]["error"].get<std::string>(), HasSubstr("but no stored maps"));
  EXPECT_EQ(json["notices"].size(), 1U) << json["notices"];  // that there are no transforms
  EXPECT_EQ(Get("/api/frames/0").status, 200);
  EXPECT_EQ(Maps({}).status, 404);
  EXPECT_EQ(Rows({}).status, 200);
  const Json exports = BodyOf(Get("/api/exports"))["exports"];
  EXPECT_EQ(exports[0]["id"], "a");
  EXPECT_TRUE(exports[0]["error"].is_null());
}

TEST_F(StoreRoutesTest, AnExportWithBothIsListedOnce) {
  const Json exports = BodyOf(Get("/api/exports"))["exports"];
  ASSERT_EQ(exports.size(), 2U);
  EXPECT_EQ(exports[0]["id"], "a");
  EXPECT_EQ(exports[1]["id"], "b");
}

}  // namespace
}  // namespace vggt
