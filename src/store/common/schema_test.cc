// SPDX-License-Identifier: Apache-2.0
#include "store/common/schema.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

LayerMetadata ExampleLayer() {
  LayerMetadata m;
  m.S = 2;
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

TEST(Schema, LayerMetadataRoundTrip) {
  const std::string text = DumpJson(ToJson(ExampleLayer()));
  const LayerMetadata back = ParseLayerMetadata(ParseJson(text, "m.json"), "m.json");
  EXPECT_EQ(DumpJson(ToJson(back)), text);
  EXPECT_EQ(back.layer_vmax99, ExampleLayer().layer_vmax99);
  EXPECT_EQ(back.transforms[1].crop_top, 175);
  EXPECT_EQ(back.transforms[0].orientation, 1);
  EXPECT_EQ(back.transforms[1].orientation, 6);
  EXPECT_EQ(back.sources[0].file, "IMG_0412.HEIC");
  EXPECT_EQ(back.sources[0].seconds, std::nullopt);
  EXPECT_EQ(back.sources[1].seconds, 12.48);
  EXPECT_EQ(SourceText(back.sources[0]), "IMG_0412.HEIC");
  EXPECT_EQ(SourceText(back.sources[1]), "Küche.mp4 at 12.48 s");
}

// What is usual is not written, so that files without it stay as they always were.
TEST(Schema, LeavesOutWhatIsUsual) {
  LayerMetadata m = ExampleLayer();
  m.sources.clear();
  const OrderedJson json = ToJson(m);
  EXPECT_FALSE(json.contains("sources"));
  EXPECT_FALSE(json["transforms"][0].contains("orientation"));
  EXPECT_EQ(json["transforms"][1]["orientation"], 6);
  EXPECT_FALSE(json["model"].contains("weights_key"));
  m.provenance->weights_key = "ema.module";
  const Json written = ParseJson(DumpJson(ToJson(m)), "m.json");
  EXPECT_EQ(ParseLayerMetadata(written, "m.json").provenance->weights_key, "ema.module");
}

struct WrongValue {
  const char* pointer;
  Json value;
  const char* message;
};

class SchemaRefuses : public ::testing::TestWithParam<WrongValue> {};

TEST_P(SchemaRefuses, With) {
  Json bad = ParseJson(DumpJson(ToJson(ExampleLayer())), "m.json");
  bad[Json::json_pointer(GetParam().pointer)] = GetParam().value;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Values, SchemaRefuses,
    ::testing::Values(
        WrongValue{"/transforms/0/orientation", 0, "'orientation' is 0, expected 1"},
        WrongValue{"/transforms/0/orientation", 9, "'orientation' is 9, expected 1 … 8"},
        WrongValue{"/transforms/0/orientation", "6", "m.json, transforms: 'orientation' is"},
        WrongValue{"/sources", Json::array({{{"file", "a"}}}), "2 image_sizes, 2 transforms and 1"},
        WrongValue{"/sources", "a.png", "'sources' is"},
        WrongValue{"/sources/0", "a.png",
                   "m.json, sources: is the text 'a.png', expected an object"},
        WrongValue{"/sources/0/file", 1, "'file' is 1, expected a text"},
        WrongValue{"/sources/0/file", "", "'file' is '', expected a printable name"},
        WrongValue{"/sources/0/file", "a\x1b[31m", "'file' is 'a?[31m', expected a printable name"},
        WrongValue{"/sources/0/file", std::string(1001, 'a'), "at most 1000 characters"},
        WrongValue{"/sources/0/time", -0.5, "'time' is -0.5, expected seconds from 0 on"},
        WrongValue{"/sources/0/time", "1", "'time' is"}));

// Every key that the Python toolkit writes, in its own file; nothing more is needed.
TEST(Schema, ReadsThePythonToolkitsMetadata) {
  const auto path = testing::Golden("export/conv_per_head/attn_maps/layer_01_metadata.json");
  const Json json = ReadJsonFile(path);
  const LayerMetadata m = ParseLayerMetadata(json, path.string());
  EXPECT_EQ(m.num_heads, 4);
  EXPECT_FALSE(m.provenance.has_value());
  const OrderedJson again = ToJson(m);
  for (const auto& [key, value] : json.items()) EXPECT_EQ(Json(again[key]), value) << key;
}

TEST(Schema, MissingAndImpossibleValuesAreNamed) {
  const Json good = ParseJson(DumpJson(ToJson(ExampleLayer())), "m.json");
  for (const char* key : {"image_paths", "H_ds", "W_ds", "npz_path", "per_head_vmax99", "generator",
                          "model", "precision"}) {
    Json bad = good;
    bad.erase(key);
    EXPECT_EQ(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              "m.json: '" + std::string(key) + "' is missing");
  }
  Json bad = good;
  bad["stride_h"] = 0;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("'stride_h' is 0, expected 1"));
  bad = good;
  bad["S"] = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("'S' is 10995"));
  for (const double vmax : {-1e-9, 1e31}) {
    bad = good;
    bad["per_head_vmax99"][1] = vmax;
    EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
                HasSubstr("a 99th percentile is"));
  }
  bad = good;
  bad["stride_w"] = 5;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("'stride_w' 5, which gives other than the 10 of the maps"));
  bad = good;
  bad["num_heads"] = 3;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("3 heads, but 2 per_head_vmax99"));
  bad = good;
  bad["num_heads"] = 1025;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("1025 heads, expected 1"));
  bad = ParseJson(R"({"H_ds": 1000000, "W_ds": 1000000, "npz_path": "", "image_paths": [""]})", "");
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("more than a query can have"));
  bad = good;
  bad["format_version"] = 99;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }), HasSubstr("update"));
}

// The least that the Python toolkit's viewer takes.
TEST(Schema, WhatOthersLeaveOutIsSupplied) {
  Json json = ParseJson(
      R"({"H_ds": 9, "W_ds": 10, "npy_path": "a.npy", "npz_path": null, "image_paths": ["a", "b"]})",
      "m.json");
  LayerMetadata m = ParseLayerMetadata(json, "m.json");
  EXPECT_EQ(m.S, 2);
  EXPECT_EQ(m.H_p, 9);
  EXPECT_EQ(m.stride_w, 1);
  EXPECT_EQ(m.layer_vmax99, 1.0);
  EXPECT_EQ(m.normalized_by, "layer_vmax99");
  EXPECT_EQ(m.npz_path, "a.npy");
  EXPECT_FALSE(m.heads_known);
  json["H_p"] = 25;
  json["stride_w"] = 4;
  json["per_head_vmax99"] = {0.5, 0.25};
  m = ParseLayerMetadata(json, "m.json");
  EXPECT_EQ(m.stride_h, 3);
  EXPECT_EQ(m.W_p, 37);
  EXPECT_TRUE(m.per_head_data && m.heads_known);
  EXPECT_EQ(m.num_heads, 2);
  EXPECT_EQ(m.normalized_by, "per_head_vmax99");
  EXPECT_EQ(HeadVmax(m, 2), 0.25);
  json["normalized_by"] = "layer_vmax99";
  EXPECT_EQ(HeadVmax(ParseLayerMetadata(json, "m.json"), 2), 1.0);
  json["per_head_data"] = false;
  m = ParseLayerMetadata(json, "m.json");
  EXPECT_TRUE(!m.per_head_data && m.heads_known);
}

TEST(Schema, ManifestsThatLieAreRefused) {
  const auto error = [](const std::string& text) {
    return ErrorOf([&] { return ParseManifest(ParseJson(text, "l"), "l"); });
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

TEST(Schema, ManifestRoundTrip) {
  const Manifest manifest{"kitchen", {{0, LayerName(0), "layer_01_metadata.json", 0.5}}};
  const Manifest back = ParseManifest(ParseJson(DumpJson(ToJson(manifest)), "l"), "l");
  EXPECT_EQ(back.image_set_name, "kitchen");
  ASSERT_EQ(back.layers.size(), 1U);
  EXPECT_EQ(back.layers[0].name, "layer_01");
  EXPECT_EQ(back.layers[0].layer_vmax99, 0.5);
  EXPECT_EQ(LayerName(99), "layer_100");
}

}  // namespace
}  // namespace vggt
