// SPDX-License-Identifier: Apache-2.0
#include "image/pil_resize.h"

#include <gmock/gmock.h>

#include <algorithm>
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

// How many files `folder` has that are called IN_to_WxH and then `ending`: what a picture of
// `inputs` becomes.
int ExpectResized(const std::string& folder, const std::string& inputs, const std::string& ending,
                  Picture (*resize)(const Picture&, int, int)) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Golden(folder))) {
    const std::string name = entry.path().filename().string();
    const size_t to = name.find("_to_");
    if (to == std::string::npos || !name.ends_with(ending)) continue;
    int width = 0, height = 0;
    EXPECT_EQ(std::sscanf(name.c_str() + to, "_to_%dx%d", &width, &height), 2) << name;
    const Picture in = ReadPicture(Golden(inputs + "/" + name.substr(0, to) + ".png"));
    const Picture out = resize(in, width, height);
    EXPECT_EQ(out.width, width);
    EXPECT_EQ(out.height, height);
    EXPECT_TRUE(out.rgb == ReadPicture(entry.path()).rgb) << name;
    ++cases;
  }
  return cases;
}

// The goldens are made by tests/golden/make_pil_resize.py.
TEST(PilResize, BicubicEqualsPillow) {
  EXPECT_EQ(ExpectResized("pil_resize", "pil_resize", ".png", ResizeBicubic), 19);
}

// The goldens are made by tests/reference/make_picture_golden.py.
TEST(PilResize, LanczosEqualsPillow) {
  EXPECT_EQ(ExpectResized("pictures/resize", "pictures", "_lanczos.png", ResizeLanczos), 7);
}

TEST(PilResize, SameSizeChangesNothing) {
  const Picture in = ReadPicture(Golden("pil_resize/61x43.png"));
  EXPECT_EQ(ResizeBicubic(in, 61, 43).rgb, in.rgb);
  EXPECT_EQ(ResizeLanczos(in, 61, 43).rgb, in.rgb);
}

TEST(PilResize, RowsArePartsOfTheWhole) {
  const Picture in = ReadPicture(Golden("pil_resize/61x43.png"));
  const Picture whole = ResizeBicubic(in, 20, 90);
  for (const auto& [first, rows] : {std::pair{0, 1}, {17, 30}, {89, 1}, {0, 90}}) {
    const Picture part = ResizeBicubicRows(in, 20, 90, first, rows);
    ASSERT_EQ(part.height, rows);
    EXPECT_TRUE(std::ranges::equal(part.rgb, std::span(whole.rgb).subspan(first * 60, rows * 60)));
  }
}

TEST(PilResize, AFewRowsOfAHugeHeightAreCheap) {
  const Picture in = ReadPicture(Golden("pil_resize/3x1500.png"));
  EXPECT_EQ(ResizeBicubicRows(in, 28, 2'000'000'000, 1'000'000'000, 28).height, 28);
}

TEST(PilResize, IsTheSameForAnyNumberOfThreads) {
  const Picture in = ReadPicture(Golden("pil_resize/61x43.png"));
  const int threads = ThreadCount();
  SetThreadCount(1);
  const Picture one = ResizeBicubic(in, 97, 200);
  SetThreadCount(5);
  const Picture five = ResizeBicubic(in, 97, 200);
  SetThreadCount(threads);
  EXPECT_EQ(one.rgb, five.rgb);
}

TEST(PilResize, RefusesImpossibleSizes) {
  const Picture in = BlankPicture(4, 4, "in");
  EXPECT_THAT(ErrorOf([&] { ResizeBicubic(in, 0, 5); }), HasSubstr("0 x 5"));
  EXPECT_THAT(ErrorOf([&] { ResizeBicubic(in, 5, -1); }), HasSubstr("5 x -1"));
  EXPECT_THAT(ErrorOf([&] { ResizeBicubic(in, 2'000'000, 2'000'000); }), HasSubstr("refused"));
  EXPECT_THAT(ErrorOf([&] { ResizeBicubicRows(in, 5, 5, 3, 3); }),
              HasSubstr("rows 3 to 6 are not inside a picture of 5 x 5"));
}

}  // namespace
}  // namespace vggt
