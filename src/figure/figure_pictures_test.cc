// SPDX-License-Identifier: Apache-2.0
#include "figure/figure_pictures.h"

#include <gmock/gmock.h>

#include "core/file.h"
#include "image/jpeg_codec.h"
#include "image/png_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

Picture Slope(int width, int height) {
  Picture picture{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.rgb.insert(picture.rgb.end(), {static_cast<uint8_t>(255 * x / width),
                                             static_cast<uint8_t>(255 * y / height), uint8_t{60}});
    }
  }
  return picture;
}

FigureFrame Frame(const std::filesystem::path& path) {
  FigureFrame frame;
  frame.picture = path;
  return frame;
}

std::filesystem::path WriteJpeg(const TestDir& dir, int width, int height) {
  const std::vector<uint8_t> file = EncodeJpeg(Slope(width, height), 85, "slope");
  return dir.Write("slope.jpg", {file.begin(), file.end()});
}

TEST(FigurePictures, AJpegThatFitsIsKeptAsItIs) {
  const TestDir dir;
  const std::filesystem::path path = WriteJpeg(dir, 300, 200);
  const CanvasPicture picture = LoadPicture(Frame(path), 250, true);
  EXPECT_EQ(picture.pixels->width, 300);
  ASSERT_NE(picture.jpeg, nullptr);
  const std::string file = ReadFile(path);
  EXPECT_EQ(*picture.jpeg, BareJpeg(BytesOf(file)));
}

TEST(FigurePictures, LargePicturesAreMadeAsSmallAsTheyAreDrawn) {
  const TestDir dir;
  const CanvasPicture picture = LoadPicture(Frame(WriteJpeg(dir, 1200, 800)), 249.5, true);
  EXPECT_EQ(picture.pixels->width, 250);
  EXPECT_EQ(picture.pixels->height, 167);
  EXPECT_EQ(DecodeJpeg(*picture.jpeg, "jpeg").width, 250);
  const CanvasPicture plain = LoadPicture(Frame(WriteJpeg(dir, 1200, 800)), 249.5, false);
  EXPECT_EQ(plain.jpeg, nullptr);
  EXPECT_EQ(plain.pixels->rgb, picture.pixels->rgb);
}

TEST(FigurePictures, OtherFormatsBecomeJpegs) {
  const TestDir dir;
  const Picture slope = Slope(60, 40);
  WritePng(dir / "slope.png", 60, 40, slope.rgb);
  const CanvasPicture picture = LoadPicture(Frame(dir / "slope.png"), 500, true);
  EXPECT_EQ(picture.pixels->rgb, slope.rgb);  // never enlarged
  EXPECT_EQ(DecodeJpeg(*picture.jpeg, "jpeg").width, 60);
}

TEST(FigurePictures, TurnedPicturesAreUpright) {
  const TestDir dir;
  FigureFrame frame = Frame(WriteJpeg(dir, 300, 200));
  frame.transform = FrameTransform{300, 200, 20, 30, 0, 30, 0, 0, 20, 30, 6};
  const CanvasPicture picture = LoadPicture(frame, 180, true);
  EXPECT_EQ(picture.pixels->width, 180);
  EXPECT_EQ(picture.pixels->height, 270);
  const Picture jpeg = DecodeJpeg(*picture.jpeg, "jpeg");
  EXPECT_EQ(jpeg.height, 270);
  // Dark red was at the left, and a quarter turn clockwise puts it at the top.
  EXPECT_LT(jpeg.rgb[0], 40);
  EXPECT_GT(jpeg.rgb[size_t{3} * 180 * 265], 215);
}

// A browser would turn the file by what it says; the figure must not.
TEST(FigurePictures, FilesThatTurnThemselvesAreNotKept) {
  const TestDir dir;
  const std::vector<uint8_t> file = EncodeJpeg(Slope(300, 200), 85, "slope");
  const std::string exif(
      "\xFF\xE1\0\x22"
      "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
      36);
  const std::string turned =
      std::string("\xFF\xD8") + exif + std::string(file.begin() + 2, file.end());
  const CanvasPicture picture = LoadPicture(Frame(dir.Write("t.jpg", turned)), 250, true);
  EXPECT_EQ(picture.pixels->width, 250);  // made anew
}

TEST(FigurePictures, SizesComeFromTheFileWhereNothingElseTells) {
  const TestDir dir;
  FigureFrame frame = Frame(WriteJpeg(dir, 300, 200));
  EXPECT_EQ(WithSize(frame).width, 300);
  EXPECT_EQ(WithSize(frame).height, 200);
  frame.width = 30;
  frame.height = 60;
  EXPECT_EQ(WithSize(frame).height, 60);
  EXPECT_EQ(WithSize(FigureFrame()).width, 0);
}

TEST(FigurePictures, ErrorsNameTheFile) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { LoadPicture(Frame(dir / "none.jpg"), 10, true); }),
              HasSubstr("none.jpg"));
  EXPECT_THAT(ErrorOf([&] { LoadPicture(Frame(dir.Write("a.jpg", "text")), 10, false); }),
              HasSubstr("a.jpg"));
  EXPECT_THAT(ErrorOf([&] { WithSize(Frame(dir / "none.jpg")); }), HasSubstr("none.jpg"));
}

}  // namespace
}  // namespace vggt
