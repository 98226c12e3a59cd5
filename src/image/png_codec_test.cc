// SPDX-License-Identifier: Apache-2.0
#include "image/png_codec.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <cmath>

#include "core/mapped_file.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

std::string BigEndian(uint32_t value) {
  std::string bytes(4, '\0');
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i));
  return bytes;
}

std::string Chunk(const std::string& kind, const std::string& data) {
  const std::string body = kind + data;
  const auto sum = crc32(0, AsBytes(body).data(), static_cast<unsigned>(body.size()));
  return BigEndian(static_cast<uint32_t>(data.size())) + body +
         BigEndian(static_cast<uint32_t>(sum));
}

// A PNG of `rows` in the packing of the format, each after its filter byte.
std::string Png(uint32_t width, uint32_t height, char depth, char colour, const std::string& rows,
                const std::string& before_pixels = "") {
  std::string packed(compressBound(rows.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, AsBytes(rows).data(), rows.size());
  packed.resize(size);
  const std::string header =
      BigEndian(width) + BigEndian(height) + depth + colour + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + Chunk("IHDR", header) + before_pixels + Chunk("IDAT", packed) +
         Chunk("IEND", "");
}

TEST(PngCodec, DecodesPixelsInOrder) {
  const auto file = Png(2, 1, 8, 2, std::string("\0\x01\x02\x03\x04\x05\x06", 7));
  const Picture picture = DecodePng(AsBytes(file), "a.png");
  EXPECT_EQ(picture.width, 2);
  EXPECT_EQ(picture.height, 1);
  EXPECT_THAT(picture.rgb, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(PngCodec, Grey16KeepsItsValues) {
  const auto file = Png(2, 2, 16, 0, std::string("\0\x00\x01\x12\x34\0\xff\xff\x00\x00", 10));
  const Grey16 grey = DecodeGrey16Png(AsBytes(file), "depth.png");
  EXPECT_EQ(grey.width, 2);
  EXPECT_EQ(grey.height, 2);
  EXPECT_THAT(grey.values, ElementsAre(1, 0x1234, 0xffff, 0));
  const auto rgb = Png(2, 1, 8, 2, std::string("\0\x01\x02\x03\x04\x05\x06", 7));
  EXPECT_THAT(ErrorOf([&] { DecodeGrey16Png(AsBytes(rgb), "depth.png"); }),
              HasSubstr("depth.png: is no PNG of 16-bit grey"));
  EXPECT_THAT(ErrorOf([&] { DecodeGrey16Png(AsBytes("no picture"), "depth.png"); }),
              HasSubstr("depth.png: is no PNG"));
  const std::string half = file.substr(0, file.size() - 20);
  EXPECT_THAT(ErrorOf([&] { DecodeGrey16Png(AsBytes(half), "depth.png"); }),
              HasSubstr("damaged PNG"));
}

TEST(PngCodec, Grey16IsWrittenAsItIsRead) {
  Grey16 grey{3, 2, {0, 1, 255, 256, 0x1234, 65535}};
  const Grey16 back = DecodeGrey16Png(EncodeGrey16Png(grey, "depth.png"), "depth.png");
  EXPECT_EQ(back.width, 3);
  EXPECT_EQ(back.height, 2);
  EXPECT_EQ(back.values, grey.values);
  grey.values.pop_back();
  EXPECT_THAT(ErrorOf([&] { EncodeGrey16Png(grey, "depth.png"); }),
              HasSubstr("depth.png: 5 values are not 3 x 2 pixels"));
}

TEST(PngCodec, Grey16IsDividedBy257) {
  std::string rows(1, '\0');
  for (unsigned v = 0; v < 65536; ++v) rows += {static_cast<char>(v >> 8), static_cast<char>(v)};
  const auto file = Png(65536, 1, 16, 0, rows);
  const Picture picture = DecodePng(AsBytes(file), "a.png");
  for (unsigned v = 0; v < 65536; ++v) {
    const auto expected = static_cast<uint8_t>(std::lround(v / 257.0));
    ASSERT_EQ(picture.rgb[3 * v], expected) << v;
    ASSERT_EQ(picture.rgb[3 * v + 2], expected) << v;
  }
}

TEST(PngCodec, Grey16OfAGreyPictureIsThatPicture) {
  const auto read = [](const char* name) {
    const MappedFile file(Golden(name));
    return DecodePng(file.bytes(), name);
  };
  EXPECT_EQ(read("preprocess/grey16.png").rgb, read("preprocess/grey.png").rgb);
}

TEST(PngCodec, HeaderThatPromisesTooMuchIsRefusedBeforeAllocating) {
  const auto refusal = [](uint32_t width, uint32_t height) {
    const auto file = Png(width, height, 8, 2, "x");
    return ErrorOf([&] { DecodePng(AsBytes(file), "a.png"); });
  };
  EXPECT_THAT(refusal(20'000, 20'000), HasSubstr("a.png: damaged PNG: the file ends early"));
  EXPECT_THAT(refusal(0x7FFFFFFF, 0x7FFFFFFF), HasSubstr("a.png: "));
  EXPECT_THAT(refusal(1 << 20, 1 << 20), HasSubstr("is refused"));
  EXPECT_THAT(refusal(0, 5), HasSubstr("damaged PNG"));
  EXPECT_THAT(refusal(0xFFFFFFFF, 5), HasSubstr("damaged PNG"));
}

TEST(PngCodec, ManyBlackPixelsFitInFewBytes) {
  const auto file = Png(8000, 1000, 1, 0, std::string(1001 * 1000, '\0'));
  EXPECT_LT(file.size(), 2000U);
  EXPECT_EQ(DecodePng(AsBytes(file), "a.png").rgb, std::vector<uint8_t>(24'000'000));
}

TEST(PngCodec, SaysWhatIsDamaged) {
  auto file = Png(2, 1, 8, 2, std::string("\0\x01\x02\x03\x04\x05\x06", 7));
  file[file.size() - 18] ^= 1;  // in the pixels
  EXPECT_THAT(
      ErrorOf([&] { DecodePng(AsBytes(file), "a.png"); }),
      HasSubstr("damaged PNG: IDAT: incorrect data check. Copy or save the picture again."));
  const auto no_palette = Png(1, 1, 8, 3, std::string(2, '\0'));
  EXPECT_THAT(ErrorOf([&] { DecodePng(AsBytes(no_palette), "a.png"); }), HasSubstr("PLTE"));
  const auto few_rows = Png(4, 4, 8, 0, std::string(6, '\0'));
  EXPECT_THAT(ErrorOf([&] { DecodePng(AsBytes(few_rows), "a.png"); }),
              HasSubstr("Not enough image data"));
}

TEST(PngCodec, NonsenseBesideThePixelsIsSkippedInSilence) {
  const std::string nonsense = Chunk("iCCP", "x") + Chunk("tEXt", "") + Chunk("gAMA", "yy") +
                               Chunk("tRNS", "z") + Chunk("zTXt", "a") + Chunk("quUx", "?");
  const auto file = Png(1, 1, 8, 0, std::string("\0\x07", 2), nonsense);
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(DecodePng(AsBytes(file), "a.png").rgb, ElementsAre(7, 7, 7));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(PngCodec, WritesWhatItReads) {
  const TestDir dir;
  std::vector<uint8_t> rgb(5 * 3 * 3);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 37);
  WritePng(dir / "a.png", 5, 3, rgb);
  const MappedFile file(dir / "a.png");
  const Picture picture = DecodePng(file.bytes(), "a.png");
  EXPECT_EQ(picture.width, 5);
  EXPECT_EQ(picture.height, 3);
  EXPECT_EQ(picture.rgb, rgb);
}

TEST(PngCodec, WritesNoiseThatCannotBePacked) {
  const TestDir dir;
  std::vector<uint8_t> rgb(size_t{700} * 300 * 3);
  uint32_t state = 1;
  for (uint8_t& value : rgb)
    value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  WritePng(dir / "a.png", 700, 300, rgb);
  const MappedFile file(dir / "a.png");
  EXPECT_GT(file.bytes().size(), rgb.size());
  EXPECT_EQ(DecodePng(file.bytes(), "a.png").rgb, rgb);
}

TEST(PngCodec, RefusesToWriteWhatIsNoPicture) {
  const TestDir dir;
  const std::vector<uint8_t> rgb(12);
  EXPECT_THAT(ErrorOf([&] { WritePng(dir / "a.png", 3, 2, rgb); }),
              HasSubstr("12 bytes are not 3 x 2 RGB pixels"));
  EXPECT_THAT(ErrorOf([&] { WritePng(dir / "a.png", 0, 0, {}); }), HasSubstr("0 x 0"));
  EXPECT_THAT(ErrorOf([&] { WritePng(dir / "no" / "a.png", 2, 2, rgb); }),
              HasSubstr("cannot create"));
  EXPECT_TRUE(dir.empty());
}

TEST(PngCodec, FilesSayWhatTheyAre) {
  const std::vector<uint8_t> rgb(6, 50);
  const std::string long_text(100'000, 'x');
  const std::vector<uint8_t> file = EncodePng(
      2, 1, rgb, "a.png", {.dpi = 254, .title = "Höhe", .software = "", .description = long_text});
  const std::string text(file.begin(), file.end());
  EXPECT_THAT(text, HasSubstr(Chunk("pHYs", BigEndian(10000) + BigEndian(10000) + "\x01")));
  EXPECT_THAT(text, HasSubstr(Chunk("iTXt", std::string("Title\0\0\0\0\0", 10) + "Höhe")));
  EXPECT_THAT(text, HasSubstr(long_text));
  EXPECT_EQ(text.find("Software"), std::string::npos);
  EXPECT_EQ(DecodePng(file, "a.png").rgb, rgb);
}

}  // namespace
}  // namespace vggt
