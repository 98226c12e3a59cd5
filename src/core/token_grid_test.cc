// SPDX-License-Identifier: Apache-2.0
#include "core/token_grid.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vggt
