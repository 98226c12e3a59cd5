// SPDX-License-Identifier: Apache-2.0
#include "cli/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace vggt {
namespace {

TEST(Suggest, FindsTheNearestName) {
  const std::vector<std::string> names = {"--stride_h", "--stride_w", "--num_images", "--weights"};
  EXPECT_EQ(Nearest("--num_image", names), "--num_images");
  EXPECT_EQ(Nearest("--wieghts", names), "--weights");
  EXPECT_EQ(Nearest("--stride-w", names), "--stride_w");
  EXPECT_EQ(Nearest("--num", names), "--num_images");
  EXPECT_EQ(Nearest("--frobnicate", names), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace vggt
