// SPDX-License-Identifier: Apache-2.0
#include "store/common/export_folder.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using testing::TestDir;

TEST(ExportFolder, PicturesAreNumberedWithTheirExtensions) {
  EXPECT_THAT(ImageNames({".PNG", ".jpeg"}),
              ElementsAre("../images/frame_00.png", "../images/frame_01.jpeg"));
  EXPECT_EQ(ImageNames(std::vector<std::string>(100, ".png")).front(), "../images/frame_000.png");
}

TEST(ExportFolder, CountsTheBytesOfItsFiles) {
  const TestDir dir;
  WriteImage(dir / "out", "../images/frame_00.png", AsBytes("picture"));
  EXPECT_EQ(ReadFile(dir / "out/images/frame_00.png"), "picture");
  EXPECT_EQ(FolderBytes(dir / "out"), 7U);
}

}  // namespace
}  // namespace vggt
