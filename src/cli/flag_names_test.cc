// SPDX-License-Identifier: Apache-2.0
#include "cli/flag_names.h"

#include <gtest/gtest.h>

#include <vector>

namespace vggt {
namespace {

TEST(FlagNames, StandInPlaceOfTheLibrarysOptions) {
  EXPECT_EQ(WithFlagNames(""), "");
  EXPECT_EQ(WithFlagNames("`num_images`"), "--num_images");
  EXPECT_EQ(WithFlagNames("Export with `save_qk`."), "Export with --save_qk.");
  EXPECT_EQ(WithFlagNames("fewer patches (`stride_h`, `stride_w`)."),
            "fewer patches (--stride_h, --stride_w).");
  EXPECT_EQ(WithFlagNames("choose another `output`"),
            "choose another --image_set_name or --output_dir_prefix");
  // What names no option stays as it is.
  for (const char* text : {"`", "``", "`none`", "num_images", "it`s `num_images", "`num_images "}) {
    EXPECT_EQ(WithFlagNames(text), text);
  }
  EXPECT_EQ(WithFlagNames("it`s `fps`"), "it`s --fps");
}

TEST(FlagNames, TheNearestIsFound) {
  const std::vector<std::string> names = {"--stride_h", "--stride_w", "--num_images", "--weights"};
  EXPECT_EQ(Nearest("--num_image", names), "--num_images");
  EXPECT_EQ(Nearest("--wieghts", names), "--weights");
  EXPECT_EQ(Nearest("--stride-w", names), "--stride_w");
  EXPECT_EQ(Nearest("--num", names), "--num_images");
  EXPECT_EQ(Nearest("--images", names), "--num_images");
  EXPECT_EQ(Nearest("--port", std::vector<std::string>{"--root", "--server_port"}),
            "--server_port");
  EXPECT_EQ(Nearest("--frobnicate", names), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace vggt
