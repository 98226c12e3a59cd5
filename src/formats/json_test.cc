// SPDX-License-Identifier: Apache-2.0
#include "formats/json.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

TEST(Json, GetsWhatIsThere) {
  const Json json = ParseJson(R"({"a": 3, "b": 1.5, "c": "x", "d": [1, 2.5], "e": true,
                                  "f": ["p", "q"], "g": [{}]})",
                              "f.json");
  EXPECT_EQ(GetJson<int64_t>(json, "a", "f"), 3);
  EXPECT_EQ(GetJson<double>(json, "a", "f"), 3);
  EXPECT_EQ(GetJson<double>(json, "b", "f"), 1.5);
  EXPECT_EQ(GetJson<std::string>(json, "c", "f"), "x");
  EXPECT_THAT(GetJson<std::vector<double>>(json, "d", "f"), ElementsAre(1, 2.5));
  EXPECT_TRUE(GetJson<bool>(json, "e", "f"));
  EXPECT_THAT(GetJson<std::vector<std::string>>(json, "f", "f"), ElementsAre("p", "q"));
  EXPECT_EQ(GetJson<std::vector<Json>>(json, "g", "f").size(), 1U);
}

TEST(Json, IsBuiltAsItStands) {
  for (const char* text :
       {"null", "-3", "\"x\"", "[]", "{}", R"([[],{},[1,[2.5,null]],{"a":[{"b":{}},true]}])",
        R"({"a":{"b":1,"c":[{"d":-2}]},"e":"f","g":18446744073709551615})"}) {
    EXPECT_EQ(ParseJson(text, "f").dump(), text);
  }
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  EXPECT_EQ(ParseJson(deep, "f").dump(), deep);
}

TEST(Json, NamesSourceKeyAndTypes) {
  const Json json = ParseJson(R"({"a": 1.5, "b": [1, "x"], "big": 18446744073709551615})", "f");
  EXPECT_EQ(ErrorOf([&] { GetJson<int64_t>(json, "z", "f.json"); }), "f.json: 'z' is missing");
  EXPECT_EQ(ErrorOf([&] { GetJson<int64_t>(json, "a", "f.json"); }),
            "f.json: 'a' is 1.5, expected an integer");
  EXPECT_EQ(ErrorOf([&] { GetJson<int64_t>(json, "big", "f.json"); }),
            "f.json: 'big' is 18446744073709551615, expected an integer");
  EXPECT_EQ(ErrorOf([&] { GetJson<std::vector<double>>(json, "b", "f.json"); }),
            "f.json: 'b' is the text 'x', expected a list of numbers");
  EXPECT_EQ(ErrorOf([&] { GetJson<bool>(json, "b", "f.json"); }),
            "f.json: 'b' is a list of 2, expected true or false");
  EXPECT_THAT(ErrorOf([&] { GetJson<bool>(Json(3), "b", "f.json"); }),
              HasSubstr("is 3, expected an object with 'b'"));
}

TEST(Json, HostileTextIsRefused) {
  EXPECT_THAT(ErrorOf([] { ParseJson("{\"a\": 1", "f.json"); }),
              HasSubstr("f.json, byte 8, after 'a': is no"));
  EXPECT_THAT(ErrorOf([] { ParseJson("", "f"); }), HasSubstr("no valid JSON"));
  EXPECT_THAT(ErrorOf([] { ParseJson("{} {}", "f"); }), HasSubstr("no valid JSON"));
  EXPECT_THAT(ErrorOf([] { ParseJson(std::string(100'000, '['), "f"); }), HasSubstr("deeper"));
  EXPECT_THAT(ErrorOf([] { ParseJson(R"({"a": 1, "a": 2})", "f"); }), HasSubstr("'a' twice"));
  EXPECT_THAT(ErrorOf([] { ParseJson("[1e999]", "f"); }), HasSubstr("out of range"));
  EXPECT_EQ(ParseJson(R"([{"a": 1}, {"a": 2}])", "f").size(), 2U);
  std::string many = "[0";
  for (int i = 0; i < 4'000'000; ++i) many += ",0";
  EXPECT_THAT(ErrorOf([&] { ParseJson(many + "]", "f"); }), HasSubstr("more than 4000000 values"));
}

TEST(Json, DumpKeepsOrderAndSurvivesBadText) {
  OrderedJson json;
  json["z"] = 0.1;
  json["a"] = "\xff";
  EXPECT_EQ(DumpJson(json), "{\n  \"z\": 0.1,\n  \"a\": \"\xEF\xBF\xBD\"\n}\n");
}

}  // namespace
}  // namespace vggt
