// SPDX-License-Identifier: Apache-2.0
#include "image/picture.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

TEST(Picture, IsBlackAtFirst) {
  const Picture picture = BlankPicture(3, 2, "a.png");
  EXPECT_EQ(picture.width, 3);
  EXPECT_EQ(picture.height, 2);
  EXPECT_EQ(picture.rgb, std::vector<uint8_t>(18, 0));
}

TEST(Picture, RefusesAbsurdSizes) {
  EXPECT_THAT(ErrorOf([] { BlankPicture(0, 7, "a.png"); }),
              HasSubstr("a.png: a picture of 0 x 7 pixels is refused"));
  EXPECT_THAT(ErrorOf([] { CheckPictureSize(-1, -1, "a.png"); }), HasSubstr("-1 x -1"));
  EXPECT_THAT(ErrorOf([] { CheckPictureSize(INT64_MAX, INT64_MAX, "a.png"); }),
              HasSubstr("Pictures have 1 to 500 million pixels"));
  EXPECT_THAT(ErrorOf([] { CheckPictureSize(kMostPixels + 1, 1, "a.png"); }), HasSubstr("refused"));
  EXPECT_NO_THROW(CheckPictureSize(kMostPixels, 1, "a.png"));
}

TEST(Picture, TransparentTurnsWhite) {
  const std::vector<uint8_t> rgba = {10, 20, 30, 255, 10, 20, 30, 0, 10, 20, 30, 128};
  std::vector<uint8_t> rgb(9);
  CompositeOnWhite(rgba, rgb);
  EXPECT_THAT(rgb, ElementsAre(10, 20, 30, 255, 255, 255, 132, 137, 142));
}

TEST(Picture, AlphaIsDroppedIfAsked) {
  const std::vector<uint8_t> rgba = {10, 20, 30, 255, 10, 20, 30, 0, 10, 20, 30, 128};
  std::vector<uint8_t> rgb(9);
  RgbOfRgba(rgba, AlphaUse::kDropped, rgb);
  EXPECT_THAT(rgb, ElementsAre(10, 20, 30, 10, 20, 30, 10, 20, 30));
  RgbOfRgba(rgba, AlphaUse::kOnWhite, rgb);
  EXPECT_THAT(rgb, ElementsAre(10, 20, 30, 255, 255, 255, 132, 137, 142));
}

TEST(Picture, ColoursAreDividedByAlpha) {
  std::vector<uint8_t> rgba = {10, 20, 30, 255, 10, 20, 30, 0, 10, 20, 200, 128};
  Unpremultiply(rgba);
  EXPECT_THAT(rgba, ElementsAre(10, 20, 30, 255, 0, 0, 0, 0, 19, 39, 255, 128));
}

TEST(Picture, InkDarkens) {
  const std::vector<uint8_t> cmyk = {255, 255, 255, 255, 0, 255, 128, 255, 255, 0, 255, 100};
  std::vector<uint8_t> rgb(9);
  InvertedCmykToRgb(cmyk, rgb);
  EXPECT_THAT(rgb, ElementsAre(255, 255, 255, 0, 255, 128, 100, 0, 100));
}

}  // namespace
}  // namespace vggt
