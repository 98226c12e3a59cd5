// SPDX-License-Identifier: Apache-2.0
#include "image/cv_resize.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>

#include "core/parallel.h"
#include "image/codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

Picture CvInput(const std::string& name) {
  const std::string file = ReadFile(Golden("pictures/" + name + ".png"));
  return DecodePicture(testing::AsBytes(file), name, AlphaUse::kDropped);
}

// The goldens are golden/pictures/resize/IN_to_WxH_KIND.png
// (tests/reference/make_picture_golden.py).
int ExpectGoldens(const std::string& kind, Picture (*resize)(const Picture&, int, int)) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Golden("pictures/resize"))) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with('_' + kind + ".png")) continue;
    const size_t to = name.find("_to_");
    int width = 0, height = 0;
    EXPECT_EQ(std::sscanf(name.c_str() + to, "_to_%dx%d", &width, &height), 2) << name;
    const Picture out = resize(CvInput(name.substr(0, to)), width, height);
    EXPECT_EQ(out.width, width);
    EXPECT_EQ(out.height, height);
    EXPECT_TRUE(out.rgb == ReadPicture(entry.path()).rgb) << name;
    ++cases;
  }
  return cases;
}

TEST(CvResize, AreaEqualsOpenCv) { EXPECT_EQ(ExpectGoldens("area", CvResizeArea), 11); }

TEST(CvResize, CubicEqualsOpenCv) { EXPECT_EQ(ExpectGoldens("cubic", CvResizeCubic), 8); }

TEST(CvResize, SameSizeChangesNothing) {
  const Picture in = CvInput("61x43");
  EXPECT_EQ(CvResizeArea(in, 61, 43).rgb, in.rgb);
  EXPECT_EQ(CvResizeCubic(in, 61, 43).rgb, in.rgb);
}

TEST(CvResize, IsTheSameForAnyNumberOfThreads) {
  const Picture in = CvInput("112x84");
  const int threads = ThreadCount();
  SetThreadCount(1);
  const Picture area = CvResizeArea(in, 61, 50), cubic = CvResizeCubic(in, 130, 200);
  SetThreadCount(5);
  EXPECT_EQ(CvResizeArea(in, 61, 50).rgb, area.rgb);
  EXPECT_EQ(CvResizeCubic(in, 130, 200).rgb, cubic.rgb);
  SetThreadCount(threads);
}

TEST(CvResize, RefusesImpossibleSizes) {
  const Picture in = BlankPicture(4, 4, "in");
  EXPECT_THAT(ErrorOf([&] { CvResizeArea(in, 5, 4); }),
              HasSubstr("does not enlarge 4 x 4 pixels to 5 x 4"));
  EXPECT_THAT(ErrorOf([&] { CvResizeArea(in, 4, 5); }), HasSubstr("to 4 x 5"));
  EXPECT_THAT(ErrorOf([&] { CvResizeArea(in, 0, 4); }), HasSubstr("0 x 4"));
  EXPECT_THAT(ErrorOf([&] { CvResizeCubic(in, 5, -1); }), HasSubstr("5 x -1"));
  EXPECT_THAT(ErrorOf([&] { CvResizeCubic(in, 2'000'000, 2'000'000); }), HasSubstr("refused"));
}

}  // namespace
}  // namespace vggt
