// SPDX-License-Identifier: Apache-2.0
#include "server/report_routes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "geometry/geometry_folder.h"
#include "geometry_testing.h"
#include "routes_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::BodyOf;
using ::testing::HasSubstr;
using testing::HeaderOf;
using testing::ReplaceInFile;
using testing::SmallQkDescription;
using testing::StoreRoutesTest;
using testing::WhatOf;
using testing::WriteQkStore;

using Params = std::vector<std::pair<std::string, std::string>>;

// A small store without maps.
class ReportRoutesTest : public StoreRoutesTest {
 protected:
  ReportRoutesTest() {
    fs::remove_all(export_ / "attn_maps");
    fs::remove_all(export_ / "qk");
    WriteQkStore(export_, SmallQkDescription(3, 5, 7));
    catalog_->Open("a");
    // Machines that test much at a time are slow.
    routes_ =
        std::make_unique<Routes>(*catalog_, AccessRule{"127.0.0.1", ""}, std::chrono::minutes(4));
  }

  Response Report(const std::string& name, const Params& params = {}) const {
    return Get("/api/report/" + name, params);
  }
  // heads.json once nothing is left to be computed.
  Json Heads(const Params& params = {}) const {
    while (true) {
      const Response response = Report("heads.json", params);
      EXPECT_EQ(response.status, 200) << response.body;
      Json json = BodyOf(response);
      if (json["state"] != "computing") return json;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  // An abandoned request.
  Response Abandoned(const std::string& name) const {
    Request request;
    request.method = "GET";
    request.path = "/api/report/" + name;
    request.host = "localhost";
    request.abandoned = std::make_shared<const std::atomic<bool>>(true);
    return routes_->Handle(request);
  }
};

std::vector<float> Values(const Response& response, Shape* shape = nullptr) {
  const NpyArray array = ParseNpy(testing::AsBytes(response.body), "answer");
  EXPECT_EQ(array.descr, "<f4");
  if (shape != nullptr) *shape = array.shape;
  std::vector<float> values(array.data.size() / sizeof(float));
  std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

TEST_F(ReportRoutesTest, HeadsBecomeReady) {
  const Json first = BodyOf(Report("heads.json"));
  EXPECT_TRUE(first["state"] == "computing" || first["state"] == "ready");
  EXPECT_EQ(first["export"], "a");
  ASSERT_EQ(first["blocks"].size(), 3U);
  const Json json = Heads();
  EXPECT_EQ(json["state"], "ready");
  EXPECT_EQ(json["progress"], 1.0);
  EXPECT_EQ(json["sample"], "all 105 patches of 3 pictures");
  for (const Json& block : json["blocks"]) {
    EXPECT_EQ(block["values"]["entropy"].size(), block["layers"].size());
    for (const Json& layer : block["values"]["entropy"]) {
      EXPECT_EQ(layer.size(), block["heads"].get<size_t>());
      for (const Json& value : layer) EXPECT_GT(value.get<double>(), 0);
    }
  }
  const Response response = Report("heads.json");
  EXPECT_EQ(HeaderOf(response, "X-Export"), "a");
  EXPECT_NE(HeaderOf(response, "X-Export-Version"), "");
  EXPECT_EQ(HeaderOf(response, "Cache-Control"), "no-store");
}

TEST_F(ReportRoutesTest, AnExportWithoutQueriesAndKeysSaysSo) {
  const Json json = Heads({{"export", "b"}});
  EXPECT_EQ(json["state"], "none");
  EXPECT_EQ(json["export"], "b");
  EXPECT_THAT(json["message"].get<std::string>(), HasSubstr("--save_qk"));
  EXPECT_EQ(json["blocks"].size(), 0U);
  for (const char* name : {"frames.npy", "similar.json", "layers.json", "heads.csv"}) {
    const Response response = Report(name, {{"export", "b"}});
    EXPECT_EQ(response.status, 404) << name;
    EXPECT_THAT(WhatOf(response), HasSubstr("no queries and keys"));
  }
}

// Its maps can be shown.
TEST_F(StoreRoutesTest, AReportOfAStoreThatCannotBeReadHasFailed) {
  ReplaceInFile(export_ / "qk/attention.json", "\"format_version\": ", "\"format_version\": 9");
  const Json json = BodyOf(Get("/api/report/heads.json"));
  EXPECT_EQ(json["state"], "failed");
  EXPECT_THAT(json["message"].get<std::string>(), HasSubstr("cannot be read"));
  EXPECT_EQ(Get("/api/report/frames.npy").status, 422);
}

TEST_F(ReportRoutesTest, ADamagedLayerLeavesTheOthers) {
  fs::resize_file(export_ / "qk/global_05.safetensors", 1000);
  const Json json = Heads();
  EXPECT_EQ(json["state"], "failed");
  EXPECT_THAT(json["message"].get<std::string>(), HasSubstr("1 of 4 layers cannot be computed"));
  const Json& global = json["blocks"][0];
  EXPECT_TRUE(global["values"]["entropy"][0].is_array());
  EXPECT_TRUE(global["values"]["entropy"][1].is_null());
  EXPECT_THAT(global["errors"][1].get<std::string>(), HasSubstr("global_05"));
  EXPECT_EQ(Report("frames.npy", {{"layer", "1"}}).status, 200);
  const Response damaged = Report("frames.npy", {{"layer", "5"}});
  EXPECT_EQ(damaged.status, 422);
  EXPECT_THAT(damaged.body, HasSubstr("global_05"));
  EXPECT_EQ(BodyOf(Report("similar.json", {{"layer", "1"}}))["heads"].size(), 2U);
  EXPECT_EQ(BodyOf(Report("layers.json"))["rows"].size(), 3U);
  const std::pair<std::string, std::string> left_out{"X-Left-Out", "global layer_05"};
  for (const char* name : {"layers.json", "heads.csv", "frames/global.npy"}) {
    const Response response = Report(name);
    EXPECT_EQ(response.status, 200) << name;
    EXPECT_THAT(response.headers, ::testing::Contains(left_out)) << name;
  }
  EXPECT_THAT(Report("similarity.json").headers, ::testing::Not(::testing::Contains(left_out)));
}

TEST_F(ReportRoutesTest, FrameMassOfOneLayer) {
  Shape shape;
  const std::vector<float> values =
      Values(Report("frames.npy", {{"block", "global"}, {"layer", "5"}}), &shape);
  EXPECT_EQ(shape, (Shape{3, 3, 4}));
  for (size_t row = 0; row < 9; ++row) {
    float sum = 0;
    for (size_t i = 0; i < 4; ++i) sum += values[4 * row + i];
    EXPECT_NEAR(sum, 1, 1e-4);
  }
  // By default the last layer of the first kind.
  EXPECT_EQ(Values(Report("frames.npy")), values);
  Heads();
  const std::vector<float> all = Values(Report("frames/global.npy"), &shape);
  EXPECT_EQ(shape, (Shape{2, 3, 3, 4}));
  EXPECT_TRUE(std::equal(values.begin(), values.end(), all.begin() + 36));
  Values(Report("frames.npy", {{"block", "encoder"}}), &shape);
  EXPECT_EQ(shape, (Shape{2, 3, 4}));
}

TEST_F(ReportRoutesTest, SimilarHeads) {
  const Response response =
      Report("similar.json", {{"block", "global"}, {"layer", "1"}, {"head", "2"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const Json json = BodyOf(response);
  EXPECT_EQ(json["export"], "a");
  EXPECT_THAT(json["definition"].get<std::string>(), HasSubstr("Jensen"));
  ASSERT_EQ(json["heads"].size(), 5U);
  double last = 0;
  for (const Json& other : json["heads"]) {
    EXPECT_FALSE(other["layer"] == 1 && other["head"] == 2);
    EXPECT_GE(other["distance"].get<double>(), last);
    last = other["distance"];
  }
  EXPECT_LE(last, 1);
}

TEST_F(ReportRoutesTest, TablesAsJsonCsvAndArrays) {
  const Json layers = BodyOf(Report("layers.json"));
  EXPECT_EQ(layers["name"], "layers");
  EXPECT_EQ(layers["rows"].size(), 4U);
  const Response csv = Report("heads.csv");
  EXPECT_EQ(csv.content_type, "text/csv; charset=utf-8");
  EXPECT_THAT(csv.body, ::testing::StartsWith("block,layer,layer_index,head,head_index,entropy,"));
  EXPECT_THAT(csv.body, HasSubstr("\nglobal,5,4,3,2,"));
  EXPECT_THAT(HeaderOf(csv, "Content-Disposition"), HasSubstr("small_heads.csv"));
  EXPECT_EQ(BodyOf(Report("frames.json"))["arrays"].size(), 3U);
  EXPECT_EQ(Report("frames/global.npy").content_type, "application/octet-stream");
  EXPECT_EQ(BodyOf(Report("pairs.json"))["rows"].size(), 24U);
  const Response missing = Report("frames/other.npy");
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(BodyOf(missing)["error"]["hint"].get<std::string>(), HasSubstr("global, frame"));
}

TEST_F(ReportRoutesTest, TablesOfAllKinds) {
  for (const ReportTableMaker& maker : ReportTableMakers()) {
    const std::string name = maker.name;
    if (name.starts_with("drop") || maker.needs_matches) continue;
    if (name != "heads") {
      EXPECT_EQ(BodyOf(Report(name + ".json"))["name"], name);
    }
    EXPECT_EQ(Report(name + ".csv").status, name == "frames" ? 404 : 200) << name;
  }
  Shape shape;
  Values(Report("sparsity/mass_of_heads.npy"), &shape);
  Values(Report("block_masks/global_05.npy"), &shape);
  Values(Report("views/match_score.npy"), &shape);
  EXPECT_EQ(shape, (Shape{3, 3}));
  Values(Report("flow/flow_global.npy"), &shape);
  EXPECT_EQ(shape, (Shape{2, 3, 5, 6}));
  // A list of pictures to drop takes what this store has not.
  const Response drop = Report("drop_robustvggt_combined_below_0_4.json");
  EXPECT_EQ(drop.status, 404);
  EXPECT_THAT(WhatOf(drop), HasSubstr("do not tell enough"));
}

TEST_F(ReportRoutesTest, WrongQuestions) {
  for (const char* name : {"", "heads", "heads.npy", "heads.json/", "none.json", "frames/",
                           "frames/.npy", "frames.csvx", "heads/../frames.npy", "frames/global",
                           ".json", "/", "similar.npy", "similar.csv"}) {
    EXPECT_EQ(Report(name).status, 404) << name;
  }
  struct Case {
    const char* name;
    Params params;
    int status;
    const char* where;
  };
  for (const Case& c : {Case{"heads.json", {{"layer", "1"}}, 400, ""},
                        Case{"layers.json", {{"block", "global"}}, 400, ""},
                        Case{"frames.npy", {{"head", "1"}}, 400, ""},
                        Case{"frames.npy", {{"layer", "1"}, {"layer", "1"}}, 400, ""},
                        Case{"frames.npy", {{"layer", "2"}}, 404, "layer"},
                        Case{"frames.npy", {{"layer", "all"}}, 400, "layer"},
                        Case{"frames.npy", {{"layer", "-1"}}, 400, "layer"},
                        Case{"frames.npy", {{"layer", "99999999999999999999"}}, 400, "layer"},
                        Case{"frames.npy", {{"layer", ""}}, 400, "layer"},
                        Case{"frames.npy", {{"block", "globe"}}, 400, "block"},
                        Case{"similar.json", {{"head", "0"}}, 400, "head"},
                        Case{"similar.json", {{"head", "4"}}, 400, "head"},
                        Case{"similar.json", {{"head", "mean"}}, 400, "head"},
                        Case{"similar.json", {{"head", "1,2"}}, 400, "head"},
                        Case{"similar.json", {{"block", "encoder"}, {"head", "3"}}, 400, "head"},
                        Case{"similar.json", {{"row", "1"}}, 400, ""},
                        Case{"heads.json", {{"export", "../outside"}}, 403, nullptr},
                        Case{"heads.json", {{"export", "missing"}}, 404, nullptr}}) {
    const Response response = Report(c.name, c.params);
    EXPECT_EQ(response.status, c.status) << c.name << " " << response.body;
    if (c.where == nullptr) continue;
    EXPECT_EQ(BodyOf(response)["error"]["where"], c.where) << response.body;
  }
  Request request;
  request.method = "POST";
  request.path = "/api/report/heads.json";
  request.host = "localhost";
  EXPECT_EQ(routes_->Handle(request).status, 405);
}

TEST_F(ReportRoutesTest, AnExportThatIsReplacedIsComputedAfresh) {
  const Json before = Heads();
  const std::string version = HeaderOf(Report("heads.json"), "X-Export-Version");
  QkDescription d = SmallQkDescription(3, 5, 7);
  d.blocks[0].scale *= 2;
  WriteQkStore(export_, d);
  const Json after = Heads();
  EXPECT_NE(HeaderOf(Report("heads.json"), "X-Export-Version"), version);
  EXPECT_EQ(after["state"], "ready");
  EXPECT_NE(after["blocks"][0]["values"]["entropy"], before["blocks"][0]["values"]["entropy"]);
  EXPECT_EQ(after["blocks"][1]["values"]["entropy"], before["blocks"][1]["values"]["entropy"]);
  EXPECT_EQ(BodyOf(Report("layers.json"))["rows"].size(), 4U);
}

// The export's geometry may come, become another, and go.
TEST_F(ReportRoutesTest, MatchesFollowFromItsGeometry) {
  QkDescription d = SmallQkDescription(3, 5, 7);
  static_cast<FrameList&>(d) = testing::PlainFrames(3, 5, 7);
  WriteQkStore(export_, d);
  catalog_->Open("a");
  EXPECT_EQ(Report("matches.json").status, 404);
  EXPECT_EQ(WhatOf(Report("matches.json")), "this export has no geometry to hold heads against");
  SceneGeometry scene{{}, "plane.json"};
  const auto write = [&](float depth) {
    scene.views.clear();
    for (int i = 0; i < 3; ++i) {
      FrameView view{d.transforms[0], testing::PlaneCamera(0.2 * i, 0, depth, 60, d), {}};
      view.depth = {7, 5, std::vector<float>(35, depth), {}};
      scene.views.emplace_back(view);
    }
    WriteGeometryFolder(export_ / "geometry", scene, d,
                        std::vector<uint8_t>(size_t{3} * 98 * 70 * 3));
  };
  write(2);
  const Json names = Heads()["metrics"];
  EXPECT_TRUE(std::ranges::any_of(names, [](const Json& each) { return each["name"] == "hit1"; }));
  const Response near = Report("matches.json");
  ASSERT_EQ(near.status, 200) << near.body;
  EXPECT_THAT(near.body, HasSubstr("plane.json"));
  EXPECT_EQ(BodyOf(Report("match_pairs.json"))["rows"].size(), 6U);
  write(5);
  EXPECT_NE(Report("matches.json").body, near.body);
  for (auto& view : scene.views) view->depth = {};
  WriteGeometryFolder(export_ / "geometry", scene, d,
                      std::vector<uint8_t>(size_t{3} * 98 * 70 * 3));
  EXPECT_EQ(Report("matches.json").status, 422);
}

TEST_F(ReportRoutesTest, WhatNobodyWaitsForIsGivenUp) {
  Heads();
  EXPECT_EQ(Abandoned("similar.json").status, 503);
  EXPECT_EQ(Abandoned("layers.json").status, 503);
  EXPECT_EQ(Abandoned("sparsity.json").status, 503);
  EXPECT_EQ(Abandoned("heads.json").status, 200);  // nothing is computed for it
}

TEST_F(ReportRoutesTest, ManyAskAtOnce) {
  std::vector<std::string> bodies(8);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < bodies.size(); ++i) {
      threads.emplace_back([&, i] {
        bodies[i] = Report(i % 2 == 0 ? "heads.csv" : "frames.npy", {{"export", "a"}}).body;
      });
    }
  }
  for (size_t i = 2; i < bodies.size(); ++i) EXPECT_EQ(bodies[i], bodies[i - 2]);
  EXPECT_FALSE(bodies[0].empty());
}

}  // namespace
}  // namespace vggt
