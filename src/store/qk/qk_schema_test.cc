// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_schema.h"

#include <gmock/gmock.h>

#include "formats/json.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

QkDescription ExampleDescription() {
  QkDescription d;
  d.image_set_name = "kitchen";
  d.frames = 2;
  d.H_p = 25;
  d.W_p = 37;
  d.image_paths = {"../images/frame_00.png", "../images/frame_01.jpg"};
  d.image_sizes = {{640, 427}, {420, 700}};
  d.transforms = {{640, 427, 518, 350, 0, 350, 84, 0, 518, 518},
                  {420, 700, 518, 868, 175, 518, 0, 0, 518, 518, 6}};
  d.sources = {{"IMG_0412.HEIC", {}}, {"kitchen.mp4", 12.48}};
  d.provenance = {.generator = "vggt-attn 0.1.0",
                  .weights = "w.safetensors",
                  .family = "VGGT-1B",
                  .model_text = "24 global blocks",
                  .depth = 24,
                  .dim = 1024,
                  .num_heads = 16,
                  .precision = "f32",
                  .image_width = 518,
                  .image_height = 350,
                  .weights_key = "ema.module"};
  const std::vector<std::string> special = {"camera", "register_1", "register_2"};
  d.blocks = {{BlockKind::kGlobal,
               16,
               64,
               0.125,
               special,
               Attends::kAll,
               {RopeType::k2d, 100, 1},
               {{0,
                 "layer_01",
                 "global_01.safetensors",
                 {QkExtra::kXNorm, QkExtra::kXUnitSum, QkExtra::kVNorm, QkExtra::kWovNorm}},
                {23, "layer_24", "global_24.safetensors"}},
               1024},
              {BlockKind::kEncoder,
               4,
               32,
               0.5,
               {"cls"},
               Attends::kFrame,
               {RopeType::kNone, 100, 1},
               {{0, "layer_01", "encoder_01.safetensors", {QkExtra::kVNorm}}}}};
  d.order = {1, 0};
  return d;
}

QkDescription Parse(const Json& json) { return ParseQkDescription(json.dump(), "attention.json"); }

Json Good() { return ParseJson(QkDescriptionText(ExampleDescription()), "attention.json"); }

TEST(QkSchema, RoundTrip) {
  const QkDescription back = Parse(Good());
  EXPECT_EQ(QkDescriptionText(back), QkDescriptionText(ExampleDescription()));
  EXPECT_EQ(back.shape(back.blocks[0]), (Shape{16, 2 * (3 + 25 * 37), 64}));
  EXPECT_EQ(back.shape(back.blocks[1]), (Shape{4, 2 * (1 + 25 * 37), 32}));
}

TEST(QkSchema, AReferenceFrameIsOneOfTheFrames) {
  QkDescription d = ExampleDescription();
  EXPECT_FALSE(Parse(Good()).reference_frame.has_value());
  d.reference_frame = 1;
  Json json = ParseJson(QkDescriptionText(d), "attention.json");
  EXPECT_EQ(Parse(json).reference_frame, 1);
  for (const Json& wrong : {Json(2), Json(-1), Json("first")}) {
    json["reference_frame"] = wrong;
    EXPECT_THROW(Parse(json), Error) << wrong;
  }
}

// Files hold the keys in this order.
TEST(QkSchema, KeysHaveOneOrder) {
  std::vector<std::string> keys;
  const OrderedJson json = OrderedJson::parse(QkDescriptionText(ExampleDescription()));
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_THAT(keys,
              ::testing::ElementsAre("format", "format_version", "generator", "image_set_name",
                                     "model", "precision", "frames", "grid", "image_paths",
                                     "image_sizes", "transforms", "sources", "order", "blocks"));
}

TEST(QkSchema, ExtrasHaveShapes) {
  const QkDescription d = ExampleDescription();
  const QkBlocks& global = d.blocks[0];
  EXPECT_EQ(d.shape(global, QkExtra::kXNorm), (Shape{1856}));
  EXPECT_EQ(d.shape(global, QkExtra::kXUnitSum), (Shape{2, 1024}));
  EXPECT_EQ(d.shape(global, QkExtra::kVNorm), (Shape{16, 1856}));
  EXPECT_EQ(d.shape(global, QkExtra::kWovNorm), (Shape{16, 1856}));
  EXPECT_TRUE(global.layers[0].has(QkExtra::kWovNorm));
  EXPECT_FALSE(global.layers[1].has(QkExtra::kWovNorm));
  EXPECT_FALSE(d.blocks[1].layers[0].has(QkExtra::kWovNorm));
}

// What is usual is not said.
TEST(QkSchema, TokensOfTheModelsOwnWays) {
  QkDescription d = ExampleDescription();
  EXPECT_EQ(QkDescriptionText(d).find("special_tokens_place"), std::string::npos);
  EXPECT_EQ(QkDescriptionText(d).find("scene_tokens"), std::string::npos);
  d.blocks[0].scene_tokens = {"scale"};
  d.blocks[1].special_tokens_place = SpecialTokensPlace::kLast;
  const QkDescription back = ParseQkDescription(QkDescriptionText(d), "attention.json");
  EXPECT_EQ(QkDescriptionText(back), QkDescriptionText(d));
  EXPECT_THAT(back.blocks[0].scene_tokens, ::testing::ElementsAre("scale"));
  EXPECT_EQ(back.blocks[0].special_tokens_place, SpecialTokensPlace::kFirst);
  EXPECT_EQ(back.blocks[1].special_tokens_place, SpecialTokensPlace::kLast);
  EXPECT_EQ(back.shape(back.blocks[0]), (Shape{16, 1857, 64}));
  EXPECT_EQ(back.shape(back.blocks[0], QkExtra::kXNorm), (Shape{1857}));
  EXPECT_EQ(back.shape(back.blocks[0], QkExtra::kXUnitSum), (Shape{2, 1024}));
  EXPECT_EQ(back.shape(back.blocks[0], QkExtra::kWovNorm), (Shape{16, 1857}));
}

// Names are in any order; those that are not known were added later.
TEST(QkSchema, ReadsTheExtrasThatItKnows) {
  Json json = Good();
  json["blocks"]["global"]["layers"][1]["extras"] = {"v_norm", "colour", "x_norm"};
  EXPECT_THAT(Parse(json).blocks[0].layers[1].extras,
              ::testing::ElementsAre(QkExtra::kXNorm, QkExtra::kVNorm));
}

TEST(QkSchema, UnitSumsNeedTheirChannels) {
  Json json = Good();
  json["blocks"]["global"].erase("channels");
  EXPECT_EQ(ErrorOf([&] { return Parse(json); }),
            "attention.json, blocks.global: 'channels' is missing");
}

// As releases wrote it up to 0.1: neither extras nor order.
TEST(QkSchema, ReadsVersion1) {
  Json json = Good();
  json["format_version"] = 1;
  json.erase("order");
  json["blocks"]["global"].erase("channels");
  for (const char* kind : {"global", "encoder"}) {
    for (Json& layer : json["blocks"][kind]["layers"]) layer.erase("extras");
  }
  const QkDescription d = Parse(json);
  EXPECT_TRUE(d.order.empty());
  EXPECT_EQ(d.blocks[0].channels, 0);
  EXPECT_TRUE(d.blocks[0].layers[0].extras.empty());
  EXPECT_EQ(d.shape(d.blocks[0]), (Shape{16, 1856, 64}));
}

TEST(QkSchema, LayersAreSorted) {
  Json json = Good();
  std::swap(json["blocks"]["global"]["layers"][0], json["blocks"]["global"]["layers"][1]);
  EXPECT_EQ(Parse(json).blocks[0].layers[0].index, 0);
}

// What a program that is not ours may leave out.
TEST(QkSchema, ReadsTheLeastThatIsNeeded) {
  Json json = Good();
  for (const char* key : {"generator", "image_set_name", "model", "precision", "image_sizes",
                          "transforms", "sources"}) {
    json.erase(key);
  }
  json["blocks"]["global"].erase("scale");
  json["blocks"]["global"]["layers"][1].erase("name");
  const QkDescription d = Parse(json);
  EXPECT_EQ(d.blocks[0].scale, 0.125);
  EXPECT_EQ(d.blocks[0].layers[1].name, "layer_24");
  EXPECT_EQ(d.provenance.model_text, "");
  json["model"] = {{"text", "another model"}};
  EXPECT_EQ(Parse(json).provenance.model_text, "another model");
}

TEST(QkSchema, MissingKeysAreNamed) {
  for (const char* key : {"format", "format_version", "frames", "grid", "image_paths", "blocks"}) {
    Json bad = Good();
    bad.erase(key);
    EXPECT_EQ(ErrorOf([&] { return Parse(bad); }),
              "attention.json: '" + std::string(key) + "' is missing");
  }
  for (const char* key : {"heads", "head_dim", "special_tokens", "attends", "rope", "layers"}) {
    Json bad = Good();
    bad["blocks"]["global"].erase(key);
    EXPECT_EQ(ErrorOf([&] { return Parse(bad); }),
              "attention.json, blocks.global: '" + std::string(key) + "' is missing");
  }
}

struct Wrong {
  const char* pointer;
  Json value;
  const char* message;
};

class QkSchemaRefuses : public ::testing::TestWithParam<Wrong> {};

TEST_P(QkSchemaRefuses, With) {
  Json bad = Good();
  bad[Json::json_pointer(GetParam().pointer)] = GetParam().value;
  EXPECT_THAT(ErrorOf([&] { return Parse(bad); }), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Values, QkSchemaRefuses,
    ::testing::Values(
        Wrong{"/format", "other", "is not 'vggt-attn-qk'"},
        Wrong{"/format_version", 3, "format version 3, expected 1 or 2. A newer vggt-attn"},
        Wrong{"/format_version", 0, "format version 0, expected 1 or 2"},
        Wrong{"/order", {0, 0}, "'order' does not name each place from 0 to 1 once"},
        Wrong{"/order", {0}, "'order' does not name"}, Wrong{"/order", {0, 2}, "'order' does not"},
        Wrong{"/order", {0, 0.5}, "'order' does not name"},
        Wrong{"/blocks/global/channels", 0, "'channels' is 0"},
        Wrong{"/blocks/global/channels", 100'000, "'channels' is 100000, at most 65536"},
        Wrong{"/blocks/global/layers/0/extras", "x_norm", "'extras'"},
        Wrong{"/frames", 3, "3 frames, but 2 image_paths"}, Wrong{"/frames", 0, "'frames' is 0"},
        Wrong{"/transforms", Json::array({Json::object()}), "'original_width' is missing"},
        Wrong{"/transforms/0/orientation", 9, "'orientation' is 9, expected 1 … 8"},
        Wrong{"/sources", Json::array({{{"file", "a"}}}), "2 transforms and 1 sources"},
        Wrong{"/sources/1/time", -1, "'time' is -1, expected seconds from 0 on"},
        Wrong{"/grid/H_p", 1'000'000, "more than can be read"},
        Wrong{"/grid/H_p", 1'000'001, "'H_p' is 1000001"},
        Wrong{"/blocks", Json::object(), "none of global, frame, encoder"},
        Wrong{"/blocks/global/special_tokens_place", "middle", "expected one of first, last"},
        Wrong{
            "/blocks/global/scene_tokens", {"a", "a"}, "'scene_tokens' names the token 'a' twice"},
        Wrong{"/blocks/global/scene_tokens", {"camera"}, "names the token 'camera' twice"},
        Wrong{"/blocks/global/scene_tokens", "scale", "'scene_tokens'"},
        Wrong{"/blocks/encoder/scene_tokens", {"scale"}, "that attend to 'frame' cannot have"},
        Wrong{"/blocks/global/heads", 0, "'heads' is 0"},
        Wrong{"/blocks/global/heads", 1025, "at most 1024"},
        Wrong{"/blocks/global/head_dim", 66, "not a multiple of 4"},
        Wrong{"/blocks/global/scale", 0, "'scale' is 0"},
        Wrong{"/blocks/global/attends", "some", "expected one of all, frame, causal"},
        Wrong{"/blocks/global/rope", "2d", "expected an object"},
        Wrong{"/blocks/global/rope/type", "3d", "expected one of 2d, none, applied"},
        Wrong{"/blocks/global/rope/base", -1, "'base' is -1"},
        Wrong{"/blocks/global/special_tokens/1", "camera", "'camera' twice"},
        Wrong{"/blocks/global/layers", Json::array(), "lists 0 layers"},
        Wrong{"/blocks/global/layers/1/index", 0, "index 0 twice"},
        Wrong{"/blocks/global/layers/1/file", "../x", "'file' is '../x'"},
        Wrong{"/blocks/global/layers/1/file", "..", "'file' is '..'"},
        Wrong{"/blocks/global/layers/1/file", "", "'file' is ''"}));

TEST(QkSchema, FilesAreNamedAfterTheirBlocks) {
  EXPECT_EQ(QkFileName(BlockKind::kFrame, 6), "frame_07.safetensors");
}

}  // namespace
}  // namespace vggt
