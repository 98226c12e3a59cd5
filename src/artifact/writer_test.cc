// SPDX-License-Identifier: Apache-2.0
#include "artifact/writer.h"

#include <gmock/gmock.h>

#include "artifact/reader.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using ::testing::ElementsAre;
using testing::TestDir;

LayerMetadata Common(const std::vector<std::string>& names) {
  LayerMetadata common;
  common.S = 1;
  common.H_p = common.H_ds = 1;
  common.W_p = common.W_ds = 2;
  common.image_paths = names;
  common.image_sizes = {{28, 14}};
  return common;
}

TEST(Writer, WhatItWritesCanBeReadAgain) {
  for (const bool compress : {false, true}) {
    const TestDir dir;
    const std::vector<std::string> names = ImageNames({".JPG"});
    fs::create_directory(dir / "out");
    ExportWriter writer(dir / "out", "set", Common(names), compress);
    WriteImage(dir / "out", names[0], AsBytes("picture"));
    // Layers 3 and 2, in this order; one head of its own scale each.
    const LayerMaps maps{{2, 1, 1, 1, 2}, true, {1, 2, 3, 4}, 0.5, {0.25}};
    writer.WriteLayer(2, maps);
    writer.WriteLayer(1, maps);
    writer.Finish();
    EXPECT_GT(FolderBytes(dir / "out"), 500U);

    const Export read = OpenExport(dir / "out");
    EXPECT_EQ(read.image_set_name, "set");
    ASSERT_EQ(read.layers.size(), 2U);
    EXPECT_EQ(read.layers[0].name, "layer_02");
    EXPECT_EQ(read.layers[1].index, 2);
    EXPECT_EQ(read.layers[0].metadata.normalized_by, "per_head_vmax99");
    EXPECT_THAT(ReadMaps(read.layers[0]).levels, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(ReadFile(read.ImagePath(read.layers[0], 0)), "picture");
    EXPECT_EQ(read.ImagePath(read.layers[0], 0).filename(), "frame_00.jpg");
  }
}

TEST(Writer, PicturesAreNumberedWithTheirExtensions) {
  EXPECT_THAT(ImageNames({".PNG", ".jpeg"}),
              ElementsAre("../images/frame_00.png", "../images/frame_01.jpeg"));
  EXPECT_EQ(ImageNames(std::vector<std::string>(100, ".png")).front(), "../images/frame_000.png");
}

}  // namespace
}  // namespace vggt
