// SPDX-License-Identifier: Apache-2.0
#include "server/export_json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "export_testing.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using ::testing::HasSubstr;
using testing::ReplaceInFile;
using testing::TestDir;

OrderedJson Describe(const TestDir& dir, const std::string& path) {
  ExportCatalog catalog(dir.path());
  return ExportJson(*catalog.Open(path));
}

TEST(ExportJson, WhatAPageNeeds) {
  const TestDir dir;
  CopyExport(dir, "conv_per_head", "set one");
  const OrderedJson json = Describe(dir, "set one");
  EXPECT_EQ(json["id"], "set one");
  EXPECT_EQ(json["path"], (dir / "set one/attn_maps").string());
  EXPECT_EQ(json["name"], "conv_per_head");
  ASSERT_EQ(json["frames"].size(), 3U);
  EXPECT_EQ(json["frames"][1].dump(),
            R"({"name":"frame_01.png","url":"api/frames/1?export=set%20one","width":640,)"
            R"("height":427,"transform":null,"source":null})");
  EXPECT_EQ(json["grid"].dump(),
            R"({"H_p":25,"W_p":37,"stride_h":3,"stride_w":4,"H_ds":9,"W_ds":10})");
  EXPECT_EQ(json["heads"], 4);
  ASSERT_EQ(json["layers"].size(), 3U);
  EXPECT_EQ(json["layers"][1]["number"], 2);
  EXPECT_EQ(json["layers"][1]["name"], "layer_02");
  EXPECT_EQ(json["layers"][1]["per_head_vmax99"].size(), 4U);
  EXPECT_EQ(json["layers"][1]["normalized_by"], "per_head_vmax99");
  EXPECT_TRUE(json["layers"][1]["error"].is_null());
  for (const char* key : {"definition", "definition_text", "model", "precision", "generator"}) {
    EXPECT_TRUE(json[key].is_null()) << key;
  }
  ASSERT_EQ(json["notices"].size(), 1U);
  EXPECT_THAT(json["notices"][0], HasSubstr("stretched over whole pictures"));
}

TEST(ExportJson, WithoutHeadsAndSizes) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_average", "a");
  for (const char* layer : {"layer_01", "layer_02", "layer_03"}) {
    ReplaceInFile(e / "attn_maps" / fmt::format("{}_metadata.json", layer), "image_sizes", "other");
  }
  const OrderedJson json = Describe(dir, "a");
  EXPECT_EQ(json["heads"], 0);
  EXPECT_TRUE(json["layers"][0]["per_head_vmax99"].is_null());
  EXPECT_TRUE(json["frames"][0]["width"].is_null());
}

TEST(ExportJson, ProvenanceAndTransforms) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_average", "a");
  const std::string transform =
      R"({"original_width": 640, "original_height": 427, "resized_width": 518,
          "resized_height": 350, "crop_top": 0, "crop_height": 350, "pad_top": 0, "pad_left": 0,
          "model_width": 518, "model_height": 350, "orientation": 6})";
  for (const char* layer : {"layer_01", "layer_02", "layer_03"}) {
    ReplaceInFile(e / "attn_maps" / fmt::format("{}_metadata.json", layer), "\"S\": 3",
                  fmt::format(R"("S": 3, "format_version": 1, "generator": "g\u001b[31m",
             "model": {{"weights": "w", "weights_key": "ema\u0007", "family": "f", "text": "t", "depth": 3, "dim": 64,
                       "num_heads": 4, "image_width": 518, "image_height": 350}},
             "precision": "f32", "definition": "patches", "definition_text": "in words",
             "transforms": [{0}, {0}, {0}],
             "sources": [{{"file": "a.png"}}, {{"file": "b.png"}},
                         {{"file": "c.mp4", "time": 1.5}}])",
                              transform));
  }
  const OrderedJson json = Describe(dir, "a");
  EXPECT_EQ(json["definition"], "patches");
  EXPECT_EQ(json["definition_text"], "in words");
  EXPECT_EQ(json["generator"], "g?[31m");
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_EQ(json["model"]["depth"], 3);
  EXPECT_EQ(json["model"]["weights_key"], "ema?");
  EXPECT_EQ(json["frames"][0]["source"].dump(), R"({"file":"a.png"})");
  EXPECT_EQ(json["frames"][2]["source"].dump(), R"({"file":"c.mp4","time":1.5})");
  EXPECT_EQ(json["frames"][2]["transform"], OrderedJson::parse(transform));
  EXPECT_TRUE(json["notices"].empty());
}

TEST(ExportJson, AStoreSaysWhatCanBeAsked) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_average", "a");
  EXPECT_TRUE(Describe(dir, "a")["store"].is_null());
  const LayerMetadata m = OpenExport(e).maps.back().metadata;
  testing::WriteQkStore(e, testing::SmallQkDescription(m.frames, m.H_p, m.W_p));
  const OrderedJson store = Describe(dir, "a")["store"];
  EXPECT_EQ(store["blocks"][0].dump(),
            R"({"kind":"global","layers":[1,5],"heads":3,"special_tokens":["camera","register_1"],)"
            R"("special_tokens_place":"first","scene_tokens":[],)"
            R"("attends":"all","rope":"2d","extras":[]})");
  ASSERT_EQ(store["definitions"].size(), Definitions().size());
  EXPECT_EQ(store["definitions"][1].dump(),
            R"({"name":"patches","label":"patches only",)"
            R"("unit":"a share of 1 over the patches of all frames","signed":false,)"
            R"("text":"Softmax over patches alone, as in the classic maps: the share of special )"
            R"(tokens is left out, and the rest adds up to 1."})");
  EXPECT_EQ(store["definitions"][3]["name"], "logits");
  EXPECT_EQ(store["definitions"][3]["signed"], true);
}

TEST(ExportJson, ABrokenLayerIsListed) {
  const TestDir dir;
  const fs::path e = CopyExport(dir, "conv_average", "a");
  fs::remove(e / "attn_maps/layer_02/heatmaps_uint8.npz");
  const OrderedJson json = Describe(dir, "a");
  EXPECT_TRUE(json["layers"][0]["error"].is_null());
  EXPECT_THAT(json["layers"][1]["error"], HasSubstr("layer_02/heatmaps_uint8.npz"));
  EXPECT_THAT(json["notices"].back(), HasSubstr("1 of 3 layers cannot be shown"));
}

TEST(ExportJson, Lists) {
  ExportList list;
  list.exports.push_back({"a", "a/attn_maps", "kitchen", 24, 5, ""});
  list.exports.push_back({"b", "b", "b", 0, 0, "is\ndamaged"});
  list.truncated = true;
  EXPECT_EQ(ExportListJson(list, "/data").dump(),
            R"({"root":"/data","exports":[)"
            R"({"id":"a","path":"a/attn_maps","name":"kitchen","layers":24,"frames":5,)"
            R"("error":null},)"
            R"({"id":"b","path":"b","name":"b","layers":0,"frames":0,"error":"is?damaged"}],)"
            R"("truncated":true})");
}

TEST(ExportJson, PercentEncoding) {
  EXPECT_EQ(PercentEncoded("aZ9-_.~"), "aZ9-_.~");
  EXPECT_EQ(PercentEncoded("a/b c&ä"), "a%2Fb%20c%26%C3%A4");
}

}  // namespace
}  // namespace vggt
