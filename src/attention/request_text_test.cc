// SPDX-License-Identifier: Apache-2.0
#include "attention/request_text.h"

#include <gmock/gmock.h>

#include <optional>

namespace vggt {
namespace {

using ::testing::ElementsAre;
using Kind = RequestError::Kind;

// The error that `body` throws.
template <typename Body>
RequestError Refused(Body body) {
  try {
    body();
  } catch (const RequestError& error) {
    return error;
  }
  ADD_FAILURE() << "was accepted";
  return {Kind::kMalformed, "", ""};
}

TEST(RequestText, Numbers) {
  const auto parse = [](const std::string& text) {
    return ParseNumber(text, {"row", 1, 20}, "row");
  };
  EXPECT_EQ(parse("1"), 1);
  EXPECT_EQ(parse("0020"), 20);
  for (const auto& [text, said] :
       {std::pair("", "row: a number is missing"),
        {"x", "row: 'x' is no whole number"},
        {"-1", "row: '-1' is no whole number"},
        {"1x", "row: '1x' is no whole number"},
        {" 1", "row: ' 1' is no whole number"},
        {"+1", "row: '+1' is no whole number"},
        {"1e1", "row: '1e1' is no whole number"},
        {"\x1b", "row: '?' is no whole number"},
        {"0", "row: there is no row 0. They run from 1 to 20."},
        {"21", "row: there is no row 21. They run from 1 to 20."},
        {"99999999999999999999",
         "row: there is no row 99999999999999999999. They run from 1 to 20."}}) {
    const RequestError error = Refused([&, t = text] { parse(t); });
    EXPECT_STREQ(error.what(), said);
    EXPECT_EQ(error.kind(), Kind::kMalformed);
    EXPECT_EQ(error.field(), "row");
  }
}

TEST(RequestText, Lists) {
  const auto parse = [](const std::string& text) {
    return ParseNumbers(text, {"frame", 0, 9}, "frames");
  };
  EXPECT_THAT(parse("3"), ElementsAre(3));
  EXPECT_THAT(parse("5,0,3"), ElementsAre(5, 0, 3));
  for (const char* text : {"", ",", "1,", ",1", "1,,2"}) {
    EXPECT_STREQ(Refused([&] { parse(text); }).what(), "frames: a number is missing") << text;
  }
  EXPECT_STREQ(Refused([&] { parse("1,2,1"); }).what(), "frames: frame 1 is named twice");
  EXPECT_STREQ(Refused([&] { parse("1, 2"); }).what(), "frames: ' 2' is no whole number");
}

TEST(RequestText, LayersAreKnownByTheirNumbers) {
  const auto parse = [](const std::string& text) { return ParseLayers(text, {1, 5}, "the store"); };
  EXPECT_THAT(parse("all"), ElementsAre(0, 1));
  EXPECT_THAT(parse("5,1"), ElementsAre(1, 0));
  const RequestError none = Refused([&] { parse("2"); });
  EXPECT_STREQ(none.what(), "layers: the store has no layer 2. Its layers are 1, 5.");
  EXPECT_EQ(none.kind(), Kind::kNotThere);
  EXPECT_EQ(Refused([&] { parse("0"); }).kind(), Kind::kMalformed);
  EXPECT_STREQ(Refused([&] { parse("foo"); }).what(), "layers: 'foo' is no whole number");
}

TEST(RequestText, Ranges) {
  EXPECT_THAT(Range(1, 3), ElementsAre(1, 2, 3));
  EXPECT_TRUE(Range<size_t>(7, 0).empty());
}

}  // namespace
}  // namespace vggt
