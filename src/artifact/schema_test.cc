// SPDX-License-Identifier: Apache-2.0
#include "artifact/schema.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

LayerMetadata Example() {
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
                  {420, 700, 518, 868, 175, 518, 0, 0, 518, 518}};
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
  const std::string text = DumpJson(ToJson(Example()));
  const LayerMetadata back = ParseLayerMetadata(ParseJson(text, "m.json"), "m.json");
  EXPECT_EQ(DumpJson(ToJson(back)), text);
  EXPECT_EQ(back.layer_vmax99, Example().layer_vmax99);
  EXPECT_EQ(back.transforms[1].crop_top, 175);
}

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
  const Json good = ParseJson(DumpJson(ToJson(Example())), "m.json");
  for (const auto& [key, value] : good.items()) {
    // What others do not write, or what only per-head exports have.
    if (key == "image_sizes" || key == "transforms" || key == "format_version" ||
        key == "per_head_data" || key == "definition" || key == "definition_text") {
      continue;
    }
    Json bad = good;
    bad.erase(key);
    EXPECT_EQ(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              "m.json: '" + key + "' is missing");
  }
  Json bad = good;
  bad["stride_h"] = 0;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("'stride_h' is 0, expected 1"));
  bad = good;
  bad["S"] = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }),
              HasSubstr("'S' is 10995"));
  bad = good;
  bad["format_version"] = 99;
  EXPECT_THAT(ErrorOf([&] { return ParseLayerMetadata(bad, "m.json"); }), HasSubstr("update"));
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
