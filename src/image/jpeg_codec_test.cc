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

}  // namespace
}  // namespace vggt
