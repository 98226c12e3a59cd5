// SPDX-License-Identifier: Apache-2.0
#include "geometry/given_geometry.h"

#include <gmock/gmock.h>

#include "colmap_testing.h"
#include "geometry/frame_view.h"
#include "geometry/geometry_folder.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ColmapText;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::PlaneCamera;
using testing::TestDir;

TEST(GivenGeometry, IsReadOfWhateverKindItIs) {
  const TestDir dir;
  FrameList demo = PlainFrames(2, 25, 37);
  for (FrameTransform& t : demo.transforms) t = {780, 520, 518, 345, 0, 345, 0, 0, 518, 350};
  const fs::path folder = testing::SourceDir() / "examples" / "demo";
  for (const fs::path& path : {folder, folder / "cameras.json"}) {
    const SceneGeometry scene = ReadGivenGeometry(path, demo);
    EXPECT_EQ(scene.views[1]->camera.fx, 650);
    EXPECT_FALSE(scene.views[1]->depth.z.empty());
  }
  const std::vector<uint8_t> rgb(size_t{2} * 518 * 350 * 3);
  WriteGeometryFolder(dir / "geometry", ReadGivenGeometry(folder, demo), demo, rgb);
  for (const fs::path& path : {dir / "geometry", dir / "geometry/cameras.json"}) {
    EXPECT_TRUE(ConcernsFrame(*ReadGivenGeometry(path, demo).views[0]));
  }
  // The model of COLMAP in it has the same cameras, without depth.
  const SceneGeometry model = ReadGivenGeometry(dir / "geometry/colmap", demo);
  EXPECT_NEAR(model.views[1]->camera.fx, 650, 1e-9);
  EXPECT_NEAR(model.views[1]->camera.cx, 390, 1e-9);
  EXPECT_TRUE(model.views[1]->depth.z.empty());
}

TEST(GivenGeometry, FindsModelsOfColmapBelow) {
  const TestDir dir;
  const FrameList frames = PlainFrames(1, 2, 3);
  ColmapModel model;
  model.images.push_back({"00.jpg", 42, 28, PlaneCamera(1, 0, 2, 50, frames), {}});
  for (const char* below : {"sparse/0", "sparse", "0", ""}) {
    fs::remove_all(dir / "c");
    const fs::path at = *below == 0 ? dir / "c" : dir / "c" / below;
    ColmapText(model).Write(at, "txt");
    EXPECT_EQ(ColmapFolder(dir / "c"), at);
    EXPECT_EQ(ReadGivenGeometry(dir / "c", frames).views[0]->camera.fx, 50);
  }
  EXPECT_THAT(ErrorOf([&] { return ReadGivenGeometry(dir / "c", PlainFrames(1, 1, 1)); }),
              HasSubstr("42 x 28 pixels"));
}

TEST(GivenGeometry, IsRefusedWhereThereIsNone) {
  const TestDir dir;
  FrameList frames = PlainFrames(1, 2, 3);
  EXPECT_THAT(ErrorOf([&] { return ReadGivenGeometry(dir.path(), frames); }),
              HasSubstr("holds no geometry"));
  EXPECT_THAT(ErrorOf([&] { return ReadGivenGeometry(dir / "none", frames); }), HasSubstr("none"));
  frames.transforms.clear();
  EXPECT_THAT(ErrorOf([&] { return ReadGivenGeometry(dir.path(), frames); }),
              HasSubstr("does not say how its pictures became frames"));
}

}  // namespace
}  // namespace vggt
