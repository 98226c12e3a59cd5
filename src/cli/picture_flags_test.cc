// SPDX-License-Identifier: Apache-2.0
#include "cli/picture_flags.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace vggt {
namespace {

// The flags, or nothing if they are refused.
std::optional<PictureFlags> ParsePictureFlags(std::vector<std::string> reversed) {
  CLI::App app;
  PictureFlags flags;
  DeclarePictureFlags(app, flags, "none");
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return flags;
}

TEST(PictureFlags, AreNotGivenUnlessTheyAre) {
  const auto none = ParsePictureFlags({});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->rule(), std::nullopt);
  EXPECT_EQ(none->image_size, 0);
  const auto all =
      ParsePictureFlags({"--exif_transpose", "64", "--image_size", "omega", "--picture_rule"});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->rule(), PictureRule::kOmega);
  EXPECT_EQ(all->image_size, 64);
  EXPECT_TRUE(all->exif_transpose);
}

TEST(PictureFlags, EveryRuleHasItsName) {
  for (const PictureRule rule : kPictureRules) {
    EXPECT_EQ(ParsePictureFlags({PictureRuleName(rule), "--picture_rule"})->rule(), rule);
  }
}

TEST(PictureFlags, RefuseOtherValues) {
  EXPECT_FALSE(ParsePictureFlags({"vggt", "--picture_rule"}));
  for (const char* size : {"0", "-14", "4801", "1e3", "wide"}) {
    EXPECT_FALSE(ParsePictureFlags({size, "--image_size"})) << size;
  }
}

}  // namespace
}  // namespace vggt
