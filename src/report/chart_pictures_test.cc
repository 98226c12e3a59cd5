// SPDX-License-Identifier: Apache-2.0
#include "report/chart_pictures.h"

#include <gtest/gtest.h>

#include "export_testing.h"

namespace vggt {
namespace {

using testing::TestDir;

TEST(ChartPictures, AreThoseOfTheExport) {
  const TestDir dir;
  const Export source = OpenExport(testing::CopyExport(dir, "conv_per_head", "made"));
  const ChartPicture picture = PictureOf(source, 1);
  ASSERT_TRUE(picture.picture.pixels);
  EXPECT_TRUE(picture.picture.jpeg);
  EXPECT_LE(picture.picture.pixels->width, 700);
  EXPECT_EQ(picture.grid.width, source.frames.W_p);
  EXPECT_EQ(picture.transform.original_width, 0);  // this export does not tell
}

TEST(ChartPictures, AreEmptyWhereTheFileIsGoneOrDamaged) {
  const TestDir dir;
  const auto folder = testing::CopyExport(dir, "conv_per_head", "made");
  const Export source = OpenExport(folder);
  std::filesystem::remove(folder / "images/frame_00.png");
  WriteFileAtomic(folder / "images/frame_01.png", std::string("no picture"));
  for (const size_t frame : {0, 1}) {
    const ChartPicture picture = PictureOf(source, frame);
    EXPECT_FALSE(picture.picture.pixels);
    EXPECT_EQ(picture.grid.height, source.frames.H_p);
  }
  EXPECT_TRUE(PictureOf(source, 2).picture.pixels);
}

}  // namespace
}  // namespace vggt
