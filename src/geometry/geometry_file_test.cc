// SPDX-License-Identifier: Apache-2.0
#include "geometry/geometry_file.h"

#include <gmock/gmock.h>

#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::TestDir;

std::filesystem::path Demo() { return testing::SourceDir() / "examples" / "demo"; }

// The pictures of examples/demo, in another order and without two of them.
FrameList DemoFrames() {
  FrameList frames = PlainFrames(4, 25, 37);
  for (FrameTransform& t : frames.transforms) {
    t = {780, 520, 518, 345, 0, 345, 0, 0, 518, 350};
  }
  const char* files[] = {"03.jpg", "00.jpg", "05.jpg", "01.jpg"};
  for (size_t i = 0; i < 4; ++i) frames.sources[i].file = files[i];
  return frames;
}

TEST(GeometryFile, ReadsTheDemo) {
  const SceneGeometry scene = ReadGeometryFile(Demo() / "cameras.json", DemoFrames());
  EXPECT_EQ(scene.text, "cameras.json");
  ASSERT_EQ(scene.views.size(), 4U);
  const FrameView& view = *scene.views[1];  // 00.jpg
  EXPECT_EQ(view.camera.fx, 650);
  EXPECT_EQ(view.camera.cx, 390);  // pixel centres at .5
  EXPECT_EQ(view.camera.cy, 260);
  EXPECT_EQ(view.camera.rotation[1][2], -0.94256651);
  EXPECT_EQ(view.camera.translation[2], 1.54347104);
  EXPECT_EQ(view.depth.width, 195);
  EXPECT_EQ(view.depth.height, 130);
  EXPECT_TRUE(view.depth.confidence.empty());
  EXPECT_EQ(scene.views[0]->camera.translation[0], -0.02122027);  // 03.jpg
}

// Each surface that two views see is the same: their depths agree where a point of one is projected
// into the other. A wrong convention of pixels, axes or samples would show.
TEST(GeometryFile, ViewsOfTheDemoAgree) {
  const SceneGeometry scene = ReadGeometryFile(Demo() / "cameras.json", DemoFrames());
  const FrameView &from = *scene.views[1], &to = *scene.views[3];  // 00.jpg and 01.jpg
  int seen = 0, agree = 0;
  for (int row = 0; row < 130; ++row) {
    for (int column = 0; column < 195; ++column) {
      const Point place = {(column + 0.5) * 4, (row + 0.5) * 4};
      const double z = DepthAt(from, place);
      if (z == 0) continue;
      const Vector3 world = WorldFromCamera(from.camera, Lift(from.camera, place, z));
      const Vector3 there = CameraFromWorld(to.camera, world);
      const double surface = DepthAt(to, Project(to.camera, there).value_or(Point{-1, -1}));
      if (surface == 0) continue;
      ++seen;
      agree += std::abs(surface - there[2]) < 0.01 * there[2] ? 1 : 0;
    }
  }
  EXPECT_GT(seen, 15000);
  EXPECT_GT(agree, 0.85 * seen);  // the rest is hidden there, or beside an edge
}

class DamagedGeometryFile : public ::testing::Test {
 protected:
  // What reading examples/demo/cameras.json says after `from` is replaced by `to` in it.
  std::string Says(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(dir_ / "depth");
    std::filesystem::copy(Demo() / "depth", dir_ / "depth");
    std::string text = ReadFile(Demo() / "cameras.json");
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto path = dir_.Write("cameras.json", text);
    return ErrorOf([&] { return ReadGeometryFile(path, DemoFrames()); });
  }
  TestDir dir_;
};

TEST_F(DamagedGeometryFile, IsRefusedInALine) {
  EXPECT_THAT(Says("{", "["), HasSubstr("cameras.json"));
  EXPECT_THAT(Says("\"views\"", "\"view\""), HasSubstr("views"));
  EXPECT_THAT(
      Says("\"width\": 780", "\"width\": 640"),
      HasSubstr("its picture of frame 1 has 640 x 520 pixels, that of the export 780 x 520"));
  EXPECT_THAT(Says("650.0", "-650.0"), HasSubstr("focal length is not positive"));
  EXPECT_THAT(Says("650.0", "1e999"), HasSubstr("cameras.json"));
  EXPECT_THAT(Says("389.5", "\"389.5\""), HasSubstr("'K'"));
  EXPECT_THAT(Says("0.81782007", "0.5"), HasSubstr("views[0]: a camera's rotation is no rotation"));
  EXPECT_THAT(Says("0.00179955,", ""), HasSubstr("'t' has 2 numbers, expected 3"));
  EXPECT_THAT(Says("\"depth_step\": 4", "\"depth_step\": 3"),
              HasSubstr("195 x 130 samples with 'depth_step' 3 does not cover a picture of 780 x "
                        "520"));
  EXPECT_THAT(Says("depth/00.png", "depth/77.png"), HasSubstr("77.png"));
  EXPECT_THAT(Says("depth/00.png", "../../../etc/passwd"), HasSubstr("passwd"));
  EXPECT_THAT(Says("depth/00.png", "cameras.json"), HasSubstr("is no PNG"));
}

TEST_F(DamagedGeometryFile, OfOtherPicturesIsRefused) {
  FrameList frames = DemoFrames();
  for (PictureSource& source : frames.sources) source.file = "kitchen_" + source.file;
  EXPECT_THAT(ErrorOf([&] { return ReadGeometryFile(Demo() / "cameras.json", frames); }),
              HasSubstr("its pictures are not those of the export: it tells of images/00.jpg "
                        "and others, the export of kitchen_03.jpg and others"));
}

}  // namespace
}  // namespace vggt
