// SPDX-License-Identifier: Apache-2.0
#include "core/block_kind.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(BlockKind, IsFoundByItsName) {
  for (const BlockKind kind : kBlockKinds) EXPECT_EQ(FindBlockKind(BlockKindName(kind)), kind);
  EXPECT_FALSE(FindBlockKind("local").has_value());
}

TEST(BlockKind, BlocksAreCountedFromOneInText) {
  EXPECT_EQ(BlockText({BlockKind::kGlobal, 0}), "global block 1");
  EXPECT_EQ(BlockText({BlockKind::kFrame, 2}), "frame block 3");
  EXPECT_EQ(BlockText({BlockKind::kEncoder, 23}), "encoder block 24");
}

TEST(BlockKind, WhatAStoreSaysOfItsBlocksHasNames) {
  EXPECT_STREQ(AttendsName(Attends::kCausal), "causal");
  EXPECT_STREQ(RopeTypeName(RopeType::kApplied), "applied");
}

}  // namespace
}  // namespace vggt
