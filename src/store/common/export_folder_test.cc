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

TEST(ExportFolder, LayersAreNumberedFromOne) {
  EXPECT_EQ(LayerName(0), "layer_01");
  EXPECT_EQ(LayerName(99), "layer_100");
  EXPECT_TRUE(IsLayerMetadata("a/layer_01_metadata.json"));
  EXPECT_FALSE(IsLayerMetadata("a/layers_manifest.json"));
}

TEST(ExportFolder, FindsFilesWhosePathsHaveAnOldPrefix) {
  const TestDir dir;
  std::filesystem::create_directories(dir / "attn_maps/layer_01");
  const auto file = dir.Write("attn_maps/layer_01/a.npz", "");
  for (const char* written : {"layer_01/a.npz", "/old/home/attn_maps/layer_01/a.npz",
                              "set/attn_maps/layer_01/a.npz", "elsewhere/layer_01/a.npz"}) {
    EXPECT_EQ(FindFile(dir / "attn_maps", written, {}, "m.json"), file) << written;
  }
  EXPECT_THROW(FindFile(dir / "attn_maps", "layer_01/b.npz", {}, "m.json"), MissingFile);
  EXPECT_THROW(FindFile(dir / "attn_maps", std::string("layer_01/a.npz\0", 15), {}, "m.json"),
               MissingFile);
  EXPECT_THROW(FindFile(dir / "attn_maps", "layer_01", {}, "m.json"), MissingFile);
  std::filesystem::create_directory(dir / "root");
  EXPECT_THROW(FindFile(dir / "attn_maps", "layer_01/a.npz", dir / "root", "m.json"), OutsideRoot);
}

TEST(ExportFolder, FindsPicturesInItsFolderOfPictures) {
  const TestDir dir;
  std::filesystem::create_directories(dir / "attn_maps");
  std::filesystem::create_directories(dir / "images");
  const auto picture = dir.Write("images/frame_00.png", "");
  for (const char* written : {"../images/frame_00.png", "/old/set/images/frame_00.png"}) {
    EXPECT_EQ(FindImage(dir / "attn_maps", written, {}), picture) << written;
  }
  // Beside what a link leads to, as the system finds it, and not beside the link.
  std::filesystem::create_directories(dir / "other/images");
  std::filesystem::create_directory_symlink(dir / "attn_maps", dir / "other/attn_maps");
  dir.Write("other/images/frame_00.png", "");
  const auto found = FindImage(dir / "other/attn_maps", "../images/frame_00.png", {});
  EXPECT_TRUE(std::filesystem::equivalent(found, picture));
}

}  // namespace
}  // namespace vggt
