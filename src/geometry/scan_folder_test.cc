// SPDX-License-Identifier: Apache-2.0
#include "geometry/scan_folder.h"

#include <gmock/gmock.h>

#include "geometry_testing.h"
#include "image/png_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::TestDir;

// A scan of three pictures, of which the second was lost and the third has no depth.
class ScanFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"pose", "depth", "intrinsic"}) {
      std::filesystem::create_directory(dir_ / folder);
    }
    dir_.Write("intrinsic/intrinsic_color.txt", "50 0 20.5 0\n0 51 13.5 0\n0 0 1 0\n0 0 0 1\n");
    dir_.Write("pose/00.txt", "0 -1 0 5\n1 0 0 6\n0 0 1 7\n0 0 0 1\n");
    dir_.Write("pose/01.txt",
               "-inf -inf -inf -inf\n-inf -inf -inf -inf\n-inf -inf -inf -inf\n"
               "-inf -inf -inf -inf\n");
    dir_.Write("pose/02.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n");
    const auto png = EncodeGrey16Png({3, 2, {1000, 2000, 0, 1, 2, 65535}}, "depth");
    WriteFileAtomic(dir_ / "depth/00.png", png);
  }

  TestDir dir_;
  FrameList frames_ = PlainFrames(3, 2, 3);
};

TEST_F(ScanFolder, IsRead) {
  EXPECT_TRUE(HoldsScan(dir_.path()));
  const SceneGeometry scene = ReadScan(dir_.path(), frames_);
  ASSERT_TRUE(scene.views[0]);
  EXPECT_FALSE(scene.views[1]);
  ASSERT_TRUE(scene.views[2]);
  const Camera& camera = scene.views[0]->camera;
  EXPECT_EQ(camera.fy, 51);
  EXPECT_EQ(camera.cx, 21);  // pixel centres at .5
  // The pose takes the camera's points to the world.
  const Vector3 world = WorldFromCamera(camera, {1, 2, 3});
  EXPECT_NEAR(world[0], 3, 1e-12);
  EXPECT_NEAR(world[1], 7, 1e-12);
  EXPECT_NEAR(world[2], 10, 1e-12);
  EXPECT_FLOAT_EQ(static_cast<float>(DepthAt(*scene.views[0], {20, 3})), 2);
  EXPECT_FLOAT_EQ(static_cast<float>(DepthAt(*scene.views[0], {41, 27})), 65.535F);
  EXPECT_TRUE(scene.views[2]->depth.z.empty());
}

TEST_F(ScanFolder, HasNumbersOfAnyKind) {
  dir_.Write("pose/02.txt", "1e0 0 0 +2.5\n0 1 -0 .5\r\n0 0 1. -3\n\t0 0 0 1");
  const Vector3 world = WorldFromCamera(ReadScan(dir_.path(), frames_).views[2]->camera, {0, 0, 0});
  EXPECT_EQ(world, (Vector3{2.5, 0.5, -3}));
}

TEST_F(ScanFolder, IsRefusedWhereItIsDamagedOrOfOtherPictures) {
  const auto says = [&] { return ErrorOf([&] { return ReadScan(dir_.path(), frames_); }); };
  dir_.Write("pose/02.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0\n");
  EXPECT_THAT(says(), HasSubstr("02.txt: holds no matrix of 4 x 4 numbers"));
  dir_.Write("pose/02.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1 end\n");
  EXPECT_THAT(says(), HasSubstr("02.txt: holds no matrix"));
  dir_.Write("pose/02.txt", "2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n");
  EXPECT_THAT(says(), HasSubstr("02.txt: a camera's rotation is no rotation"));
  std::filesystem::remove(dir_ / "pose/02.txt");
  std::filesystem::create_symlink("/etc/passwd", dir_ / "pose/02.txt");
  EXPECT_THAT(says(), HasSubstr("02.txt"));
  std::filesystem::remove(dir_ / "pose/02.txt");
  dir_.Write("intrinsic/intrinsic_color.txt", "500 0 200\n0 500 130\n0 0 1\n");
  EXPECT_THAT(says(),
              HasSubstr("the intrinsics are of larger pictures than frame 0, which has 42"));
  dir_.Write("intrinsic/intrinsic_color.txt", "nan 0 20\n0 500 13\n0 0 1\n");
  EXPECT_THAT(says(), HasSubstr("intrinsic_color.txt"));
  std::filesystem::remove(dir_ / "intrinsic/intrinsic_color.txt");
  EXPECT_THAT(says(), HasSubstr("has no intrinsics"));
  dir_.Write("intrinsics.txt", "50 0 20\n0 50 13\n0 0 1\n");
  for (PictureSource& source : frames_.sources) source.file = "kitchen_" + source.file;
  EXPECT_THAT(says(), HasSubstr("has no pose of a picture of the export"));
}

}  // namespace
}  // namespace vggt
