// SPDX-License-Identifier: Apache-2.0
#include "image/jpeg_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string Refusal(const std::string& file) {
  return ErrorOf([&] { DecodeJpeg(AsBytes(file), "a.jpg"); });
}

// The offset of the height in the frame header; the width follows it.
size_t HeightOffset(const std::string& file) { return file.find("\xFF\xC0") + 5; }

TEST(JpegCodec, TruncationIsAnErrorNotGrey) {
  const std::string whole = ReadFile(Golden("codec/420.jpg"));
  EXPECT_THAT(Refusal(whole.substr(0, whole.size() - 100)),
              HasSubstr("a.jpg: damaged JPEG: Premature end of JPEG file"));
  EXPECT_THAT(Refusal(whole.substr(0, 300)), HasSubstr("damaged JPEG"));
}

TEST(JpegCodec, DamagedDataIsAnErrorAndPrintsNothing) {
  std::string file = ReadFile(Golden("codec/444.jpg"));
  file.replace(file.size() - 200, 2, "\xFF\xD9");
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(Refusal(file), HasSubstr("premature end of data segment"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(JpegCodec, BytesAfterThePictureAreIgnored) {
  const std::string file = ReadFile(Golden("codec/grey.jpg"));
  const std::string longer = file + "more";
  EXPECT_EQ(DecodeJpeg(AsBytes(longer), "a.jpg").rgb, DecodeJpeg(AsBytes(file), "a.jpg").rgb);
}

TEST(JpegCodec, HeaderThatPromisesTooMuchIsRefusedBeforeAllocating) {
  std::string file = ReadFile(Golden("codec/420.jpg"));
  file.replace(HeightOffset(file), 4, "\x4E\x20\x4E\x20");  // 20000 x 20000
  EXPECT_THAT(Refusal(file), HasSubstr("a.jpg: damaged JPEG: the file ends early"));
  file.replace(HeightOffset(file), 4, "\xFF\xDC\xFF\xDC");
  EXPECT_THAT(Refusal(file), HasSubstr("a picture of 65500 x 65500 pixels is refused"));
}

TEST(JpegCodec, RefusesTwelveBits) {
  std::string file = ReadFile(Golden("codec/420.jpg"));
  file[HeightOffset(file) - 1] = 12;
  EXPECT_THAT(Refusal(file), HasSubstr("Unsupported JPEG data precision 12"));
}

TEST(JpegCodec, RefusesEndlessScans) {
  std::string file = ReadFile(Golden("codec/progressive.jpg"));
  // The first scan's header and data are repeated many times.
  const size_t begin = file.find("\xFF\xDA"), end = file.find("\xFF\xC4", begin);
  ASSERT_NE(end, std::string::npos);
  const std::string scan = file.substr(begin, end - begin);
  for (int i = 0; i < 600; ++i) file.insert(begin, scan);
  EXPECT_THAT(Refusal(file), HasSubstr("more than 500 scans"));
}

Picture Slope() {
  Picture picture{40, 24, {}};
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 40; ++x) {
      picture.rgb.insert(picture.rgb.end(),
                         {static_cast<uint8_t>(6 * x), static_cast<uint8_t>(10 * y), uint8_t{128}});
    }
  }
  return picture;
}

TEST(JpegCodec, WhatIsEncodedLooksAlike) {
  const Picture picture = Slope();
  const std::vector<uint8_t> file = EncodeJpeg(picture, 95, "slope");
  const Picture again = DecodeJpeg(file, "slope");
  ASSERT_EQ(again.width, 40);
  ASSERT_EQ(again.height, 24);
  for (size_t i = 0; i < picture.rgb.size(); ++i) {
    ASSERT_NEAR(again.rgb[i], picture.rgb[i], 16) << i;
  }
  EXPECT_LT(EncodeJpeg(picture, 30, "slope").size(), file.size());
  EXPECT_NE(ErrorOf([] { EncodeJpeg({70000, 1, std::vector<uint8_t>(210000)}, 90, "wide"); }), "");
}

TEST(JpegCodec, BareFilesKeepPixelsAndNothingElse) {
  const std::vector<uint8_t> file = EncodeJpeg(Slope(), 90, "slope");
  const auto segment = [](char marker, const std::string& data) {
    const size_t length = data.size() + 2;
    return std::string("\xFF") + marker + static_cast<char>(length >> 8) +
           static_cast<char>(length) + data;
  };
  const std::string coded(file.begin() + 2, file.end());
  const std::string noted = "\xFF\xD8" + segment('\xE1', std::string("Exif\0\0 at home", 14)) +
                            segment('\xE2', "a colour profile") + segment('\xFE', "a comment") +
                            coded + "and the rest of a film";
  const std::vector<uint8_t> bare = BareJpeg(AsBytes(noted));
  const std::string text(bare.begin(), bare.end());
  for (const char* note : {"Exif", "home", "profile", "comment", "film", "JFIF"}) {
    EXPECT_EQ(text.find(note), std::string::npos) << note;
  }
  EXPECT_EQ(DecodeJpeg(bare, "bare").rgb, DecodeJpeg(file, "whole").rgb);
  EXPECT_EQ(BareJpeg(bare), bare);
}

TEST(JpegCodec, OnlyWhatIsShownAlikeIsMadeBare) {
  const std::vector<uint8_t> file = EncodeJpeg(Slope(), 90, "slope");
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_TRUE(BareJpeg(Bytes(file).first(size)).empty()) << size;
  }
  std::vector<uint8_t> changed = file;
  const auto at = [&](uint8_t marker) {
    for (size_t i = 0; i + 1 < file.size(); ++i) {
      if (file[i] == 0xFF && file[i + 1] == marker) return i;
    }
    return size_t{0};
  };
  const size_t frame = at(0xC0);
  ASSERT_GT(frame, 0U);
  changed[frame + 10] = 'R';  // a component named so is no brightness
  EXPECT_TRUE(BareJpeg(changed).empty());
  changed = file;
  changed[frame + 9] = 4;
  EXPECT_TRUE(BareJpeg(changed).empty());
  changed = file;
  changed[frame + 1] = 0xC9;  // arithmetic coding
  EXPECT_TRUE(BareJpeg(changed).empty());
  EXPECT_TRUE(BareJpeg(AsBytes(std::string("no picture"))).empty());
}

}  // namespace
}  // namespace vggt
