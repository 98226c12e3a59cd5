// SPDX-License-Identifier: Apache-2.0
#include "core/picture_rule.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(PictureRule, IsFoundByItsName) {
  for (const PictureRule rule : kPictureRules) {
    EXPECT_EQ(FindPictureRule(PictureRuleName(rule)), rule);
  }
  EXPECT_STREQ(PictureRuleName(PictureRule::kVggtCrop), "vggt_crop");
  EXPECT_STREQ(PictureRuleName(PictureRule::kOmega), "omega");
  EXPECT_FALSE(FindPictureRule("vggt").has_value());
}

}  // namespace
}  // namespace vggt
