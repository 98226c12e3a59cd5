// SPDX-License-Identifier: Apache-2.0
#include "image/left_out.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

TEST(LeftOut, CountsByExtensionTheMostFrequentFirst) {
  const LeftOut found =
      DescribeLeftOut({"a.txt", "b.MOV", "x/c.mov", "d.CR2", "e.cr2", "f.mov", "README"});
  EXPECT_EQ(found.text, "3 .mov videos, 2 .cr2, 1 without extension, 1 .txt");
  EXPECT_EQ(found.hint, "Give a video with `video`, convert other pictures to PNG or JPEG.");
}

TEST(LeftOut, NamesAWayOnOnlyWhereThereIsOne) {
  EXPECT_EQ(DescribeLeftOut({"a.mp4"}).text, "1 .mp4 video");
  EXPECT_EQ(DescribeLeftOut({"a.mp4", "b.txt"}).hint, "Give a video with `video`.");
  EXPECT_EQ(DescribeLeftOut({"a.pdf"}).hint, "Convert them to PNG or JPEG.");
  EXPECT_EQ(DescribeLeftOut({"a.txt"}).hint, "");
  EXPECT_EQ(DescribeLeftOut({}).text, "");
}

TEST(LeftOut, StaysShort) {
  EXPECT_EQ(DescribeLeftOut({"a.a", "a.b", "a.c", "a.d", "a.e", "a.f", "a.g", "b.g"}).text,
            "2 .g, 1 .a, 1 .b, 1 .c, 1 .d, 2 others");
  const std::string text = DescribeLeftOut({"a." + std::string(200, 'x'), "b.\x1b[2J"}).text;
  EXPECT_LT(text.size(), 60U);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace vggt
