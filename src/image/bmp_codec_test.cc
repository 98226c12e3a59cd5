// SPDX-License-Identifier: Apache-2.0
#include "image/bmp_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string Bmp(const std::string& name) { return ReadFile(Golden("codec/" + name + ".bmp")); }

std::string BmpRefusal(const std::string& file) {
  return ErrorOf([&] { DecodeBmp(AsBytes(file), "a.bmp"); });
}

std::string With(std::string file, size_t offset, uint32_t value) {
  std::memcpy(file.data() + offset, &value, 4);
  return file;
}

constexpr size_t kWidth = 18, kHeight = 22, kBits = 28, kCompression = 30, kColours = 46;

// A BMP of 4 x 2 pixels of 8 bits with run-length coded `rows`; its palette is greys, 16 apart.
std::string Runs(const std::string& rows) {
  std::string file = Bmp("rle8").substr(0, 54 + 1024);
  for (size_t i = 0; i < 1024; ++i) file[54 + i] = static_cast<char>(i / 4 * 16);
  return With(With(file, kWidth, 4), kHeight, 2) + rows;
}

std::vector<int> Greys(const std::string& rows) {
  const std::string file = Runs(rows);
  const Picture picture = DecodeBmp(AsBytes(file), "a.bmp");
  std::vector<int> greys;
  for (size_t i = 0; i < picture.rgb.size(); i += 3) greys.push_back(picture.rgb[i] / 16);
  return greys;
}

TEST(BmpCodec, KnowsItsFiles) {
  EXPECT_TRUE(IsBmp(AsBytes(Bmp("rgb"))));
  EXPECT_FALSE(IsBmp(AsBytes("B")));
  EXPECT_FALSE(IsBmp(AsBytes("MB..")));
}

TEST(BmpCodec, RunsFillRowsFromBelow) {
  using std::string_literals::operator""s;
  EXPECT_THAT(Greys("\4\1\0\0\4\2\0\1"s), ElementsAre(2, 2, 2, 2, 1, 1, 1, 1));
  // Runs that are too long are cut at the end of the row. Pixels that are not stored have index 0.
  EXPECT_THAT(Greys("\xFF\1\0\0\2\2\0\1"s), ElementsAre(2, 2, 0, 0, 1, 1, 1, 1));
  EXPECT_THAT(Greys("\0\1"s), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
  // Pixels without runs, padded to two bytes; a jump by one to the right and one up.
  EXPECT_THAT(Greys("\0\3\1\2\3\0\0\2\0\1\1\5\0\1"s), ElementsAre(0, 0, 0, 5, 1, 2, 3, 0));
  // A jump beyond the picture ends it.
  EXPECT_THAT(Greys("\1\1\0\2\xFF\xFF\1\2"s), ElementsAre(0, 0, 0, 0, 1, 0, 0, 0));
  EXPECT_THAT(BmpRefusal(Runs("\4\1\0\0\4"s)), HasSubstr("damaged BMP: the file ends early"));
  EXPECT_THAT(BmpRefusal(Runs("\0\5\1\2\3"s)), HasSubstr("damaged BMP: the file ends early"));
}

TEST(BmpCodec, RefusesWhatItDoesNotRead) {
  const std::string file = Bmp("rgb");
  EXPECT_THAT(BmpRefusal(With(file, 14, 41)),
              HasSubstr("a BMP with a header of 41 bytes, which is not read. Convert it to PNG"));
  EXPECT_THAT(BmpRefusal(With(file, kBits, 7)), HasSubstr("7 bits a pixel"));
  EXPECT_THAT(BmpRefusal(With(file, kCompression, 4)), HasSubstr("compression 4 of 24 bits"));
  EXPECT_THAT(BmpRefusal(With(Bmp("palette8"), kColours, 70000)),
              HasSubstr("a palette of 70000 colours"));
  EXPECT_THAT(BmpRefusal(With(Bmp("rgba_masks"), 54, 0xF0)), HasSubstr("unusual masks"));
}

TEST(BmpCodec, LargePromisesAreRefusedBeforeAllocating) {
  const std::string file = Bmp("rgb");
  EXPECT_THAT(BmpRefusal(With(file, kWidth, 20'000)),
              HasSubstr("damaged BMP: the file ends early"));
  EXPECT_THAT(BmpRefusal(With(file, kWidth, 0xFFFFFFFF)), HasSubstr("is refused"));
  EXPECT_THAT(BmpRefusal(With(file, kHeight, 0x80000000)), HasSubstr("is refused"));
  EXPECT_THAT(BmpRefusal(With(file, kHeight, 0)), HasSubstr("is refused"));
  EXPECT_THAT(BmpRefusal(With(file, 10, 0xFFFFFFFF)), HasSubstr("the file ends early"));
}

TEST(BmpCodec, ColoursBeyondThePaletteAreBlack) {
  const std::string file = With(Bmp("palette8"), kColours, 1);
  const Picture picture = DecodeBmp(AsBytes(file), "a.bmp");
  size_t black = 0;
  for (size_t i = 0; i < picture.rgb.size(); i += 3) {
    black += picture.rgb[i] == 0 && picture.rgb[i + 1] == 0 && picture.rgb[i + 2] == 0;
  }
  EXPECT_GT(black, picture.rgb.size() / 3 * 9 / 10);
}

}  // namespace
}  // namespace vggt
