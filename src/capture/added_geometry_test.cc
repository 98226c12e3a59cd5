// SPDX-License-Identifier: Apache-2.0
#include "capture/added_geometry.h"

#include <gmock/gmock.h>

#include "formats/json.h"
#include "geometry_testing.h"
#include "image/png_codec.h"
#include "qk_store_testing.h"
#include "store/export/export_reader.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// A store of queries and keys with its pictures, and a camera for each of them.
class AddedGeometryTest : public ::testing::Test {
 protected:
  AddedGeometryTest() : root_(dir_ / "e") {
    QkDescription d = testing::SmallQkDescription(3, 2, 3);
    static_cast<FrameList&>(d) = testing::PlainFrames(3, 2, 3);
    testing::WriteQkStore(root_, d);
    fs::create_directory(root_ / "images");
    OrderedJson json = {{"K", {{500, 0, 10}, {0, 500, 20}, {0, 0, 1}}},
                        {"width", 42},
                        {"height", 28},
                        {"views", OrderedJson::array()}};
    for (int i = 0; i < 3; ++i) {
      const std::vector<uint8_t> rgb(size_t{42} * 28 * 3, static_cast<uint8_t>(i));
      WritePng(root_ / "images" / fmt::format("frame_{:02}.jpg", i), 42, 28, rgb);
      json["views"].push_back({{"file", fmt::format("{:02}.jpg", i)},
                               {"R", {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
                               {"t", {0, 0, 1 + i}}});
    }
    given_ = dir_.Write("scene.json", DumpJson(json));
  }

  TestDir dir_;
  fs::path root_, given_;
};

TEST_F(AddedGeometryTest, IsTheExportsOwn) {
  const AddedGeometry added = AddGeometry(root_, given_, false);
  const Export e = OpenExport(root_);
  EXPECT_EQ(e.GeometryFolder(), added.folder);
  EXPECT_EQ(added.summary.cameras, e.frames.frames);
  const SceneGeometry scene = ReadGeometryFolder(added.folder, e.frames);
  EXPECT_EQ(scene.views[2]->camera.translation[2], 3);
  for (const auto& entry : fs::directory_iterator(root_)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  }
}

TEST_F(AddedGeometryTest, StandsBesideFoldersWithoutAName) {
  const fs::path before = fs::current_path();
  fs::current_path(root_ / "qk");
  const AddedGeometry added = AddGeometry(".", given_, false);
  const auto found = OpenExport(".").GeometryFolder();
  fs::current_path(before);
  EXPECT_EQ(added.folder, root_ / "geometry");
  EXPECT_EQ(found, root_ / "geometry");
}

TEST_F(AddedGeometryTest, ReplacesOnlyWhatItMayAndKeepsTheRest) {
  AddGeometry(root_ / "qk", given_, false);
  WriteFileAtomic(root_ / "geometry/notes.txt", "precious");
  EXPECT_THAT(ErrorOf([&] { AddGeometry(root_, given_, false); }), HasSubstr("exists already"));
  // From the folder itself.
  EXPECT_EQ(AddGeometry(root_, root_ / "geometry", true).summary.cameras, 3);
  EXPECT_EQ(ReadFile(root_ / "geometry/notes.txt"), "precious");
  fs::remove(root_ / "images/frame_01.jpg");
  EXPECT_THAT(ErrorOf([&] { AddGeometry(root_, given_, true); }), HasSubstr("frame_01.jpg"));
  EXPECT_TRUE(fs::exists(root_ / "geometry/cameras.json"));
}

TEST_F(AddedGeometryTest, IsThatOfItsPictures) {
  std::string text = ReadFile(given_);
  WriteFileAtomic(given_, text.replace(text.find("00.jpg"), 6, "01.jpg"));
  EXPECT_THAT(ErrorOf([&] { AddGeometry(root_, given_, false); }),
              HasSubstr("two of its pictures are frame 1"));
  EXPECT_FALSE(fs::exists(root_ / "geometry"));
}

}  // namespace
}  // namespace vggt
