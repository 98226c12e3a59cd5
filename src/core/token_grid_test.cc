// SPDX-License-Identifier: Apache-2.0
#include "core/token_grid.h"

#include <gtest/gtest.h>

#include <string>

namespace vggt {
namespace {

TEST(TokenGrid, CountsFrameByFrameSpecialTokensFirst) {
  const TokenGrid grid{.frames = 3, .special_tokens = 5, .height = 2, .width = 4};
  EXPECT_EQ(grid.patches(), 8);
  EXPECT_EQ(grid.tokens_per_frame(), 13);
  EXPECT_EQ(grid.tokens(), 39);
  int64_t token = 0;
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    EXPECT_EQ(grid.first_token(frame), token);
    token += grid.special_tokens;
    EXPECT_EQ(grid.first_patch(frame), token);
    for (int64_t row = 0; row < grid.height; ++row) {
      for (int64_t column = 0; column < grid.width; ++column) {
        EXPECT_EQ(grid.patch(frame, row, column), token++);
      }
    }
  }
  EXPECT_EQ(token, grid.tokens());
}

TEST(TokenGrid, TokensOfNoFrameComeLast) {
  const TokenGrid grid{
      .frames = 2, .special_tokens = 1, .height = 1, .width = 2, .scene_tokens = 4};
  EXPECT_EQ(grid.tokens(), 10);
  EXPECT_EQ(grid.first_scene_token(), 6);
  EXPECT_EQ(grid.all_specials(), 6);
  std::string kinds;
  for (int64_t token = 0; token < grid.tokens(); ++token) {
    kinds += grid.is_scene_token(token) ? 'S' : grid.is_special(token) ? 's' : 'p';
    EXPECT_EQ(grid.is_special(token), kinds.back() != 'p');
  }
  EXPECT_EQ(kinds, "sppsppSSSS");
}

}  // namespace
}  // namespace vggt
