// SPDX-License-Identifier: Apache-2.0
#include "figure/spot.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "attention/request_words.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

Spot Read(const std::string& text) { return ParseSpot(text, "queries"); }

TEST(Spot, WhatLinksHold) {
  EXPECT_EQ(Read("12.18"), (Spot{0, {12, 18}, {}, {}, ""}));
  EXPECT_EQ(Read("2~12.18"), (Spot{2, {12, 18}, {}, {}, ""}));
  EXPECT_EQ(Read("12.18-14.20"), (Spot{0, {12, 18}, GridCell{14, 20}, {}, ""}));
  EXPECT_EQ(Read("12.18+3.4+0.0"), (Spot{0, {12, 18}, {}, {{3, 4}, {0, 0}}, ""}));
  EXPECT_EQ(Read("1~12.18@camera"), (Spot{1, {12, 18}, {}, {}, "camera"}));
  EXPECT_EQ(Read("0.0@a~b@c").token, "a~b@c");
}

TEST(Spot, CornersMayBeGivenInEitherOrder) {
  EXPECT_EQ(Read("14.18-12.20"), Read("12.18-14.20"));
  EXPECT_EQ(Read("3.4-3.4"), Read("3.4"));
}

TEST(Spot, SeveralWithTokensThatHoldTheSeparator) {
  const std::vector<Spot> spots = ParseSpots("12.18@register_1_2~3.4_0.0@a_1_5.6", "queries");
  ASSERT_EQ(spots.size(), 4U);
  EXPECT_EQ(spots[0].token, "register_1");
  EXPECT_EQ(spots[1], (Spot{2, {3, 4}, {}, {}, ""}));
  EXPECT_EQ(spots[2].token, "a_1");
  EXPECT_EQ(spots[3].cell, (GridCell{5, 6}));
}

TEST(Spot, WrittenAsItIsRead) {
  for (const std::string text :
       {"12.18", "2~12.18", "12.18-14.20", "1~12.18+3.4+0.0", "3~12.18@register_1"}) {
    EXPECT_EQ(FormatSpot(Read(text)), text);
  }
  const std::string several = "12.18_2~3.4-5.6_0.0@register_1";
  EXPECT_EQ(FormatSpots(ParseSpots(several, "queries")), several);
}

TEST(Spot, WhatIsNone) {
  for (const std::string text :
       {"",          "12",          "12.",         ".18",    "12.18.", "-1.2",  "1.-2",
        "12.18-",    "12.18-14",    "12.18+",      "12.18@", "~1.2",   "x~1.2", "1~",
        "1~2~3.4",   "1.2-3.4+5.6", "1.2+3.4-5.6", "1.2 ",   " 1.2",   "1e3.2", "1234567.0",
        "0.1234567", "1234567~0.0", "nan.nan",     "1.2_",   "1,2",    "1.2\n"}) {
    EXPECT_THROW(Read(text), RequestError) << text;
  }
  EXPECT_THROW(Read("1.2@" + std::string(101, 'x')), RequestError);
  EXPECT_THROW(Read(std::string("1.2\0", 4)), RequestError);
  EXPECT_THAT(ErrorOf([] { Read("here"); }), HasSubstr("queries: 'here' is no query"));
  EXPECT_THAT(ErrorOf([] { Read("1.2+3.4+3.4"); }), HasSubstr("3.4 is named twice"));
  EXPECT_THAT(ErrorOf([] { Read("1.2+1.2"); }), HasSubstr("1.2 is named twice"));
}

TEST(Spot, NotTooMany) {
  std::string set = "0.0";
  for (int i = 1; i < 256; ++i) set += fmt::format("+0.{}", i);
  EXPECT_EQ(Read(set).more.size(), 255U);
  EXPECT_THAT(ErrorOf([&] { Read(set + "+1.0"); }), HasSubstr("at most 256"));
  EXPECT_EQ(ParseSpots("0.0_0.1_0.2_0.3", "queries").size(), 4U);
  EXPECT_THAT(ErrorOf([] { ParseSpots("0.0_0.1_0.2_0.3_0.4", "queries"); }),
              HasSubstr("5 queries, at most 4"));
}

TEST(Spot, InWords) {
  EXPECT_EQ(SpotName(Read("3.4")), "patch (3, 4)");
  EXPECT_EQ(SpotName(Read("2~3.4")), "patch (3, 4) of frame 2");
  EXPECT_EQ(SpotName(Read("3.4-5.6")), "patches (3, 4) – (5, 6)");
  EXPECT_EQ(SpotName(Read("1~3.4+5.6+7.8")), "3 patches of frame 1");
  EXPECT_EQ(SpotName(Read("3.4@register_1")), "register 1 token of frame 0");
  EXPECT_EQ(SpotStem(Read("3.4")), "row3_col4");
  EXPECT_EQ(SpotStem(Read("2~3.4-5.6")), "frame2_rows3-5_cols4-6");
  EXPECT_EQ(SpotStem(Read("3.4+5.6+7.8")), "row3_col4_and2");
  EXPECT_EQ(SpotStem(Read("3.4@register_1")), "frame0_register_1");
}

}  // namespace
}  // namespace vggt
