// SPDX-License-Identifier: Apache-2.0
#include "store/common/provenance.h"

#include <gmock/gmock.h>

#include "store/common/provenance_json.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

Provenance Example() {
  return {.generator = "vggt-attn 0.1.0",
          .weights = "w.safetensors",
          .family = "VGGT-1B",
          .model_text = "24 global blocks",
          .depth = 24,
          .dim = 1024,
          .num_heads = 16,
          .precision = "f32",
          .image_width = 518,
          .image_height = 350};
}

OrderedJson Written(const Provenance& provenance) {
  OrderedJson json;
  AddProvenance(provenance, json);
  return json;
}

// Files hold the keys in this order.
TEST(Provenance, IsWrittenInOneOrder) {
  Provenance p = Example();
  EXPECT_EQ(Written(p).dump(),
            R"({"generator":"vggt-attn 0.1.0","model":{"weights":"w.safetensors",)"
            R"("family":"VGGT-1B","text":"24 global blocks","depth":24,"dim":1024,"num_heads":16,)"
            R"("image_width":518,"image_height":350},"precision":"f32"})");
  p.weights_key = "ema.module";
  p.definition = "patches";
  p.definition_text = "in words";
  EXPECT_EQ(Written(p).dump(),
            R"({"generator":"vggt-attn 0.1.0","model":{"weights":"w.safetensors",)"
            R"("weights_key":"ema.module","family":"VGGT-1B","text":"24 global blocks","depth":24,)"
            R"("dim":1024,"num_heads":16,"image_width":518,"image_height":350},"precision":"f32",)"
            R"("definition":"patches","definition_text":"in words"})");
  EXPECT_EQ(Written(ParseProvenance(Written(p), "m.json")), Written(p));
}

TEST(Provenance, MaySayLess) {
  EXPECT_EQ(ParseProvenance(Json::object(), "a").family, "");
  const Provenance p = ParseProvenance({{"model", {{"text", "another"}, {"depth", 0}}}}, "a");
  EXPECT_EQ(p.model_text, "another");
  EXPECT_EQ(p.depth, 0);
  EXPECT_EQ(Written(p).dump(), R"({"model":{"text":"another"}})");
}

TEST(Provenance, WrongTypesAreRefused) {
  EXPECT_THAT(ErrorOf([] {
                return ParseProvenance({{"generator", 1}}, "a");
              }),
              HasSubstr("'generator' is 1, expected a text"));
  EXPECT_THAT(ErrorOf([] {
                return ParseProvenance({{"model", {{"dim", -1}}}}, "a");
              }),
              HasSubstr("a, model: 'dim' is -1, expected 0"));
}

}  // namespace
}  // namespace vggt
