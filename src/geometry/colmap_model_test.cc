// SPDX-License-Identifier: Apache-2.0
#include "geometry/colmap_model.h"

#include <gmock/gmock.h>

#include <limits>

#include "colmap_testing.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AppendBinary;
using testing::ColmapBinary;
using testing::ColmapFiles;
using testing::ColmapText;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// Two pictures of 3 x 3 points, with distortion.
ColmapModel SmallModel() {
  const FrameList frames = testing::PlainFrames(2, 4, 5);
  std::vector<ColmapImage> images;
  for (int i = 0; i < 2; ++i) {
    images.push_back({i == 0 ? "a picture.jpg" : "left/01.jpg",
                      70,
                      56,
                      testing::PlaneCamera(0.1 * i, 0, 2, 40, frames),
                      {}});
    images.back().camera.k1 = 0.01;
    images.back().camera.p2 = -0.002;
  }
  return testing::PlaneModel(images, 1, 0.5);
}

void ExpectSame(const ColmapModel& got, const ColmapModel& expected) {
  ASSERT_EQ(got.images.size(), expected.images.size());
  for (size_t i = 0; i < got.images.size(); ++i) {
    const ColmapImage &a = got.images[i], &b = expected.images[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.width, b.width);
    EXPECT_EQ(a.height, b.height);
    EXPECT_EQ(a.camera.fx, b.camera.fx);
    EXPECT_EQ(a.camera.cy, b.camera.cy);
    EXPECT_EQ(a.camera.k1, b.camera.k1);
    EXPECT_EQ(a.camera.p2, b.camera.p2);
    EXPECT_EQ(a.camera.rotation, b.camera.rotation);
    EXPECT_EQ(a.camera.translation, b.camera.translation);
    ASSERT_EQ(a.points.size(), b.points.size());
    for (size_t j = 0; j < a.points.size(); ++j) EXPECT_EQ(a.points[j].x, b.points[j].x);
  }
  ASSERT_EQ(got.points.size(), expected.points.size());
  for (size_t i = 0; i < got.points.size(); ++i) {
    EXPECT_EQ(got.points[i].world, expected.points[i].world);
    ASSERT_EQ(got.points[i].track.size(), expected.points[i].track.size());
    for (size_t j = 0; j < got.points[i].track.size(); ++j) {
      EXPECT_EQ(got.points[i].track[j].image, expected.points[i].track[j].image);
      EXPECT_EQ(got.points[i].track[j].point, expected.points[i].track[j].point);
    }
  }
}

TEST(ColmapModel, ReadsTextAndBinaryAlike) {
  const TestDir dir;
  const ColmapModel model = SmallModel();
  ASSERT_EQ(model.points[4].track.size(), 2U);
  EXPECT_FALSE(HoldsColmapModel(dir.path()));
  ColmapText(model).Write(dir / "text", "txt");
  ColmapBinary(model).Write(dir / "binary", "bin");
  EXPECT_TRUE(HoldsColmapModel(dir / "text"));
  EXPECT_TRUE(HoldsColmapModel(dir / "binary"));
  ExpectSame(ReadColmapModel(dir / "text"), model);
  ExpectSame(ReadColmapModel(dir / "binary"), model);
}

TEST(ColmapModel, PrefersTheBinaryFiles) {
  const TestDir dir;
  ColmapBinary(SmallModel()).Write(dir.path(), "bin");
  ColmapFiles{"nonsense", "", ""}.Write(dir.path(), "txt");
  EXPECT_EQ(ReadColmapModel(dir.path()).images.size(), 2U);
}

// The example in COLMAP's documentation of its format, with a third picture.
TEST(ColmapModel, KnowsItsCameraModelsAndQuaternions) {
  const TestDir dir;
  ColmapFiles{
      "1 SIMPLE_PINHOLE 3072 2304 2559.81 1536 1152\n"
      "2 PINHOLE 3072 2304 2560.56 2561.5 1536 1152\r\n"
      "3 SIMPLE_RADIAL 3072 2304 2559.69 1536 1152 -0.0218531\n"
      "4 RADIAL 3072 2304 2559.69 1536 1152 -0.02 0.01\n",
      "# comment\n\n"
      "1 0.5 0.5 0.5 0.5 -0.73 1.02 3.74 1 a.jpg\n\n"
      "2 1.414213562373095 0 0 1.414213562373095 0 0 1 2 b.jpg\n"
      "1190.83 663.957 23056 1258.77 640.354 59070\n"
      "5 1 0 0 0 0 0 1 3 c.jpg\n\n"
      "6 1 0 0 0 0 0 1 4 d.jpg",
      ""}
      .Write(dir.path(), "txt");
  const ColmapModel model = ReadColmapModel(dir.path());
  ASSERT_EQ(model.images.size(), 4U);
  EXPECT_EQ(model.images[0].camera.fy, 2559.81);
  EXPECT_EQ(model.images[1].camera.fy, 2561.5);
  EXPECT_EQ(model.images[2].camera.k1, -0.0218531);
  EXPECT_EQ(model.images[3].camera.k2, 0.01);
  EXPECT_EQ(model.images[1].points.size(), 2U);
  // (½, ½, ½, ½) sends x to y, y to z and z to x; (√½, 0, 0, √½) is a quarter turn about z.
  EXPECT_EQ(model.images[0].camera.rotation, (Matrix3{{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}}));
  const Matrix3& quarter = model.images[1].camera.rotation;
  EXPECT_NEAR(quarter[0][1], -1, 1e-12);
  EXPECT_NEAR(quarter[1][0], 1, 1e-12);
  EXPECT_NEAR(quarter[2][2], 1, 1e-12);
}

TEST(ColmapModel, RefusesDamagedText) {
  const ColmapFiles good = ColmapText(SmallModel());
  const TestDir dir;
  const auto says = [&](const ColmapFiles& files) {
    files.Write(dir.path(), "txt");
    return ErrorOf([&] { return ReadColmapModel(dir.path()); });
  };
  const auto with = [](std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_THAT(says({with(good.cameras, "OPENCV", "FULL_OPENCV"), good.images, good.points}),
              HasSubstr("cameras.txt, line 2: camera model FULL_OPENCV is not read. Undistort"));
  EXPECT_THAT(says({with(good.cameras, "OPENCV", "PINHOLE"), good.images, good.points}),
              HasSubstr("PINHOLE has fewer parameters"));
  EXPECT_THAT(says({with(good.cameras, " 70 ", " 0 "), good.images, good.points}),
              HasSubstr("a picture of 0 x 56 pixels"));
  EXPECT_THAT(says({with(good.cameras, " 70 ", " -70 "), good.images, good.points}),
              HasSubstr("line 2: '-70' is not the number that should stand there"));
  EXPECT_THAT(says({with(good.cameras, " 40 ", " nan "), good.images, good.points}),
              HasSubstr("no finite number"));
  EXPECT_THAT(says({with(good.cameras, "51 ", "50 "), good.images, good.points}),
              HasSubstr("line 3: camera 50 is there twice"));
  EXPECT_THAT(says({good.cameras, with(good.images, " 50 ", " 77 "), good.points}),
              HasSubstr("images.txt, line 2: a picture was taken with camera 77, which is not"));
  EXPECT_THAT(says({good.cameras, with(good.images, " 1 0 0 0", " 0 0 0 0"), good.points}),
              HasSubstr("no quaternion"));
  EXPECT_THAT(says({good.cameras, with(good.images, "-1 ", ""), good.points}),
              HasSubstr("images.txt, line 3: "));
  EXPECT_THAT(says({good.cameras, good.images, with(good.points, "0.5 13 0", "0.5 13 900")}),
              HasSubstr("points3D.txt, line 2: a point is feature 900 of image 13, which has 9"));
  EXPECT_THAT(says({good.cameras, good.images, with(good.points, "0.5 13 0", "0.5 4 0")}),
              HasSubstr("a point is seen in image 4, which is not there"));
  EXPECT_THAT(says({good.cameras, good.images, with(good.points, "0.5 13 0", "0.5 13")}),
              HasSubstr("points3D.txt, line 2: "));
  std::filesystem::remove(dir / "points3D.txt");
  EXPECT_THROW(ReadColmapModel(dir.path()), MissingFile);
}

// As editors of Windows write text.
TEST(ColmapModel, TextMayBeginWithAByteOrderMark) {
  const ColmapFiles good = ColmapText(SmallModel());
  const TestDir dir;
  const std::string mark = "\xEF\xBB\xBF";
  ColmapFiles{mark + good.cameras, mark + good.images, mark + good.points}.Write(dir.path(), "txt");
  ExpectSame(ReadColmapModel(dir.path()), SmallModel());
}

TEST(ColmapModel, RefusesEveryTruncation) {
  const ColmapFiles good = ColmapBinary(SmallModel());
  const TestDir dir;
  std::string ColmapFiles::*const parts[] = {&ColmapFiles::cameras, &ColmapFiles::images,
                                             &ColmapFiles::points};
  for (std::string ColmapFiles::*const part : parts) {
    good.Write(dir.path(), "bin");
    for (size_t size = 0; size < (good.*part).size(); size += 7) {
      ColmapFiles cut = good;
      (cut.*part).resize(size);
      cut.Write(dir.path(), "bin");
      EXPECT_THAT(ErrorOf([&] { return ReadColmapModel(dir.path()); }), HasSubstr(".bin"));
    }
    ColmapFiles longer = good;
    longer.*part += "x";
    longer.Write(dir.path(), "bin");
    EXPECT_THAT(ErrorOf([&] { return ReadColmapModel(dir.path()); }), HasSubstr("more bytes"));
  }
}

TEST(ColmapModel, RefusesHugeCounts) {
  const ColmapFiles good = ColmapBinary(SmallModel());
  const TestDir dir;
  const auto says = [&](const ColmapFiles& files) {
    files.Write(dir.path(), "bin");
    return ErrorOf([&] { return ReadColmapModel(dir.path()); });
  };
  std::string huge;
  AppendBinary<uint64_t>(huge, uint64_t{1} << 61);
  const auto with_count = [&](std::string text, size_t at) { return text.replace(at, 8, huge); };
  EXPECT_THAT(says({with_count(good.cameras, 0), good.images, good.points}),
              HasSubstr("cameras do not fit the bytes that are left"));
  EXPECT_THAT(says({good.cameras, with_count(good.images, 0), good.points}),
              HasSubstr("pictures do not fit"));
  EXPECT_THAT(says({good.cameras, with_count(good.images, 8 + 4 + 56 + 4 + 14), good.points}),
              HasSubstr("features do not fit"));
  EXPECT_THAT(says({good.cameras, good.images, with_count(good.points, 0)}),
              HasSubstr("points do not fit"));
  EXPECT_THAT(says({good.cameras, good.images, with_count(good.points, 8 + 8 + 24 + 11)}),
              HasSubstr("observations do not fit"));
  EXPECT_THAT(says({with_count(good.cameras, 16), good.images, good.points}),
              HasSubstr("a picture of 2305843009213693952 x 56 pixels"));
  ColmapFiles one;
  AppendBinary<uint64_t>(one.cameras, 1);
  EXPECT_THAT(says({one.cameras, good.images, good.points}),
              HasSubstr("1 camera does not fit the bytes that are left"));
  std::string fisheye = good.cameras;
  fisheye[12] = 5;
  EXPECT_THAT(says({fisheye, good.images, good.points}),
              HasSubstr("camera model number 5 is not read"));
}

}  // namespace
}  // namespace vggt
