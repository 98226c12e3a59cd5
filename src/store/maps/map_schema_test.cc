// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_schema.h"

#include <gmock/gmock.h>

#include "formats/json.h"
#include "store/common/export_folder.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

LayerMetadata ExampleLayer() {
  LayerMetadata m;
  m.frames = 2;
  m.H_p = 25;
  m.W_p = 37;
  m.stride_h = 3;
  m.stride_w = 4;
  m.H_ds = 9;
  m.W_ds = 10;
  m.layer_vmax99 = 0.060121528841554965;
  m.normalized_by = "per_head_vmax99";
  m.per_head_data = true;
  m.num_heads = 2;
  m.per_head_vmax99 = {0.05, 0.06};
  m.npz_path = "layer_01/heatmaps_uint8.npz";
  m.image_paths = {"../images/frame_00.png", "../images/frame_01.jpg"};
  m.image_sizes = {{640, 427}, {420, 700}};
  m.transforms = {{640, 427, 518, 350, 0, 350, 84, 0, 518, 518},
                  {420, 700, 518, 868, 175, 518, 0, 0, 518, 518, 6}};
  m.sources = {{"IMG_0412.HEIC", {}}, {"Küche.mp4", 12.48}};
  m.provenance = {.generator = "vggt-attn 0.1.0",
                  .weights = "w.safetensors",
                  .family = "VGGT-1B",
                  .model_text = "24 global blocks",
                  .depth = 24,
                  .dim = 1024,
                  .num_heads = 16,
                  .precision = "f32",
                  .image_width = 518,
                  .image_height = 518};
  return m;
}

LayerMetadata Parse(const Json& json) { return ParseLayerMetadata(json.dump(), "m.json"); }

TEST(MapSchema, LayerMetadataRoundTrip) {
  const std::string text = LayerMetadataText(ExampleLayer());
  const LayerMetadata back = ParseLayerMetadata(text, "m.json");
  EXPECT_EQ(LayerMetadataText(back), text);
  EXPECT_EQ(back.layer_vmax99, ExampleLayer().layer_vmax99);
  EXPECT_EQ(back.transforms[1].crop_top, 175);
  EXPECT_EQ(back.sources[1].seconds, 12.48);
  EXPECT_EQ(back.provenance->definition, "patches");
}

// Files hold the keys in this order.
TEST(MapSchema, KeysHaveOneOrder) {
  std::vector<std::string> keys;
  const OrderedJson json = OrderedJson::parse(LayerMetadataText(ExampleLayer()));
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, ::testing::ElementsAre(
                        "S", "H_p", "W_p", "stride_h", "stride_w", "H_ds", "W_ds", "layer_vmax99",
                        "normalized_by", "per_head_data", "npz_path", "image_paths", "image_sizes",
                        "num_heads", "per_head_vmax99", "transforms", "sources", "format_version",
                        "generator", "model", "precision", "definition", "definition_text"));
}

// Every key that the Python toolkit writes, in its own file; nothing more is needed.
TEST(MapSchema, ReadsThePythonToolkitsMetadata) {
  const auto path = testing::Golden("export/conv_per_head/attn_maps/layer_01_metadata.json");
  const Json json = ReadJsonFile(path);
  const LayerMetadata m = Parse(json);
  EXPECT_EQ(m.num_heads, 4);
  EXPECT_FALSE(m.provenance.has_value());
  const Json again = ParseJson(LayerMetadataText(m), "again");
  for (const auto& [key, value] : json.items()) EXPECT_EQ(again.at(key), value) << key;
}

TEST(MapSchema, MissingAndImpossibleValuesAreNamed) {
  const Json good = ParseJson(LayerMetadataText(ExampleLayer()), "m.json");
  for (const char* key : {"image_paths", "H_ds", "W_ds", "npz_path", "per_head_vmax99"}) {
    Json bad = good;
    bad.erase(key);
    EXPECT_EQ(ErrorOf([&] { return Parse(bad); }), "m.json: '" + std::string(key) + "' is missing");
  }
  Json bad = good;
  bad["stride_h"] = 0;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("'stride_h' is 0, expected 1"));
  bad = good;
  bad["S"] = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("'S' is 10995"));
  for (const double vmax : {-1e-9, 1e31}) {
    bad = good;
    bad["per_head_vmax99"][1] = vmax;
    EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("a 99th percentile is"));
  }
  bad = good;
  bad["stride_w"] = 5;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }),
              HasSubstr("'stride_w' 5, which gives other than the 10 of the maps"));
  bad = good;
  bad.erase("H_p");
  bad["stride_h"] = 1'000'000;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("at most 1000000 can be"));
  bad = good;
  bad["num_heads"] = 3;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("3 heads, but 2 per_head_vmax99"));
  bad = good;
  bad["num_heads"] = 1025;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("1025 heads, expected 1"));
  bad = ParseJson(R"({"H_ds": 1000000, "W_ds": 1000000, "npz_path": "", "image_paths": [""]})", "");
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("more than a query can have"));
  bad = good;
  bad["format_version"] = 99;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr("update"));
}

// The least that the Python toolkit's viewer takes.
TEST(MapSchema, WhatOthersLeaveOutIsSupplied) {
  Json json = ParseJson(
      R"({"H_ds": 9, "W_ds": 10, "npy_path": "a.npy", "npz_path": null, "image_paths": ["a", "b"]})",
      "m.json");
  LayerMetadata m = Parse(json);
  EXPECT_EQ(m.frames, 2);
  EXPECT_EQ(m.H_p, 9);
  EXPECT_EQ(m.stride_w, 1);
  EXPECT_EQ(m.layer_vmax99, 1.0);
  EXPECT_EQ(m.normalized_by, "layer_vmax99");
  EXPECT_EQ(m.npz_path, "a.npy");
  EXPECT_FALSE(m.heads_known);
  json["H_p"] = 25;
  json["stride_w"] = 4;
  json["per_head_vmax99"] = {0.5, 0.25};
  m = Parse(json);
  EXPECT_EQ(m.stride_h, 3);
  EXPECT_EQ(m.W_p, 37);
  EXPECT_TRUE(m.per_head_data && m.heads_known);
  EXPECT_EQ(m.num_heads, 2);
  EXPECT_EQ(m.normalized_by, "per_head_vmax99");
  EXPECT_EQ(HeadVmax(m, 2), 0.25);
  json["normalized_by"] = "layer_vmax99";
  EXPECT_EQ(HeadVmax(Parse(json), 2), 1.0);
  json["per_head_data"] = false;
  m = Parse(json);
  EXPECT_TRUE(!m.per_head_data && m.heads_known);
}

TEST(MapSchema, ManifestsThatLieAreRefused) {
  const auto error = [](const std::string& text) {
    return ErrorOf([&] { return ParseManifest(text, "l"); });
  };
  EXPECT_THAT(error("{}"), HasSubstr("'layers' is missing"));
  EXPECT_THAT(error(R"({"layers": [{}]})"), HasSubstr("'metadata_path' is missing"));
  const std::string layer = R"({"metadata_path": "a", "index": )";
  EXPECT_THAT(error(R"({"layers": [)" + layer + "4}, " + layer + "4}]}"), HasSubstr("twice"));
  EXPECT_THAT(
      error(R"({"layers": [)" + layer + "1, \"name\": \"n\"}, " + layer + "2, \"name\": \"n\"}]}"),
      HasSubstr("twice"));
  EXPECT_THAT(error(R"({"layers": [)" + layer + "-1}]}"), HasSubstr("'index' is -1"));
  std::string many = R"({"layers": [)";
  for (int i = 0; i <= kMostLayers; ++i) many += R"({"metadata_path": "a"},)";
  many.back() = ']';
  EXPECT_THAT(error(many + "}"), HasSubstr("lists 1001 layers, at most 1000"));
}

TEST(MapSchema, ManifestRoundTrip) {
  const Manifest manifest{"kitchen", {{0, LayerName(0), "layer_01_metadata.json", 0.5}}};
  const Manifest back = ParseManifest(ManifestText(manifest), "l");
  EXPECT_EQ(back.image_set_name, "kitchen");
  ASSERT_EQ(back.layers.size(), 1U);
  EXPECT_EQ(back.layers[0].name, "layer_01");
  EXPECT_EQ(back.layers[0].layer_vmax99, 0.5);
  EXPECT_EQ(LayerName(99), "layer_100");
}

}  // namespace
}  // namespace vggt
