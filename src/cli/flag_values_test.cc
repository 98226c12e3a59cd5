// SPDX-License-Identifier: Apache-2.0
#include "cli/flag_values.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FlagValues, WholeNumber) {
  const ValueCheck check = WholeNumber(1, 20);
  for (const char* good : {"1", "9", "20"}) EXPECT_EQ(check(good), "") << good;
  for (const char* bad : {"", "0", "21", "-1", "+1", "1.5", "3x", "x", "0x3", "010", "1e1", " 1",
                          "--quiet", "99999999999999999999999999"}) {
    EXPECT_EQ(check(bad), "'" + std::string(bad) + "' is no whole number from 1 to 20");
  }
  EXPECT_EQ(WholeNumber(0, UINT64_MAX)("18446744073709551615"), "");
  EXPECT_EQ(WholeNumber(0, UINT64_MAX)("0"), "");
  EXPECT_NE(WholeNumber(0, UINT64_MAX)("18446744073709551616"), "");
}

TEST(FlagValues, Rate) {
  EXPECT_EQ(ParseRate("2", 10), 2);
  EXPECT_EQ(ParseRate("0.5", 10), 0.5);
  EXPECT_EQ(ParseRate("1/4", 10), 0.25);
  EXPECT_EQ(ParseRate("25/2.5", 10), 10);
  for (const char* bad : {"", "0", "0.0", "-1", "+1", "11", "1e0", "inf", "nan", "0x1", "1/0", "/2",
                          "2/", "1/2/3", "1,5", " 1", "1.2.3", "."}) {
    EXPECT_FALSE(ParseRate(bad, 10)) << bad;
    EXPECT_EQ(Rate(10)(bad), "'" + std::string(bad) +
                                 "' is no number above 0 and up to 10, such as 2, 0.5 or 1/3");
  }
}

TEST(FlagValues, OneOf) {
  EXPECT_EQ(OneOf({"a", "b"})("b"), "");
  EXPECT_EQ(OneOf({"a", "b"})("B"), "'B' is none of a, b");
}

TEST(FlagValues, Text) {
  EXPECT_EQ(SomeText()("a/b c"), "");
  EXPECT_EQ(SomeText()("-"), "");
  EXPECT_EQ(SomeText()(""), "its value is empty");
  EXPECT_EQ(SomeText()("--quiet"), "its value is missing: the flag '--quiet' follows");
  EXPECT_EQ(AnyText()(""), "");
  EXPECT_EQ(AnyText()("--quiet"), SomeText()("--quiet"));
}

TEST(FlagValues, BlockKinds) {
  EXPECT_THAT(ParseBlockKinds("global"), ElementsAre(BlockKind::kGlobal));
  EXPECT_THAT(ParseBlockKinds("encoder,global"),
              ElementsAre(BlockKind::kEncoder, BlockKind::kGlobal));
  EXPECT_EQ(BlockKindList()("global,frame,encoder"), "");
  for (const auto& [text, word] : {std::pair{"globl", "'globl'"},
                                   {"global,", "''"},
                                   {"", "''"},
                                   {"frame,Global", "'Global'"}}) {
    EXPECT_EQ(BlockKindList()(text), std::string(word) + " is none of global, frame, encoder");
  }
}

TEST(FlagValues, LayersAreSingleOnesAndRanges) {
  EXPECT_THAT(ParseLayerList(""), IsEmpty());
  const auto items = ParseLayerList("12,1-3,2");
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[1].text, "1-3");
  EXPECT_THAT(items[0].layers, ElementsAre(12));
  EXPECT_THAT(items[1].layers, ElementsAre(1, 2, 3));
  EXPECT_THAT(items[2].layers, ElementsAre(2));
}

TEST(FlagValues, WhatNamesNoLayersIsLayerZero) {
  for (const char* text : {"0", "-1", "1-", "-", "2-1", "a", "1.5", " 1", "99999999999999999999",
                           "1-2-3", "1-999999999999", "+1"}) {
    const auto items = ParseLayerList(text);
    ASSERT_EQ(items.size(), 1U) << text;
    EXPECT_EQ(items[0].text, text);
    EXPECT_THAT(items[0].layers, ElementsAre(0)) << text;
  }
  const auto items = ParseLayerList("1,,2,");
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[1].text, "");
  EXPECT_THAT(items[1].layers, ElementsAre(0));
  EXPECT_THAT(items[3].layers, ElementsAre(0));
}

TEST(FlagValues, Extensions) {
  EXPECT_EQ(ExtensionOf("a.b/figure.v2.png"), "png");
  EXPECT_EQ(ExtensionOf("figure."), "");
  EXPECT_EQ(ExtensionOf("a.b/figure"), "");
}

}  // namespace
}  // namespace vggt
