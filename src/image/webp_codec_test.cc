// SPDX-License-Identifier: Apache-2.0
#include "image/webp_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

TEST(WebpCodec, KnowsItsFiles) {
  EXPECT_TRUE(IsWebp(AsBytes(ReadFile(Golden("codec/lossy.webp")))));
  EXPECT_FALSE(IsWebp(AsBytes("RIFF1234WAVE")));
  EXPECT_FALSE(IsWebp(AsBytes("RIFF1234WEB")));
}

TEST(WebpCodec, SaysWhatIsDamaged) {
  const std::string whole = ReadFile(Golden("codec/lossless.webp"));
  EXPECT_THAT(ErrorOf([&] { DecodeWebp(AsBytes(whole.substr(0, 20)), "a.webp"); }),
              HasSubstr("a.webp: damaged WebP: no readable header"));
  EXPECT_THAT(ErrorOf([&] { DecodeWebp(AsBytes(whole.substr(0, 100)), "a.webp"); }),
              HasSubstr("a.webp: damaged WebP: the file ends early"));
  std::string broken = whole;
  for (size_t i = 40; i < 80; ++i) broken[i] = '\xFF';
  EXPECT_THAT(ErrorOf([&] { DecodeWebp(AsBytes(broken), "a.webp"); }),
              HasSubstr("a.webp: damaged WebP: its pixels cannot be decoded"));
}

TEST(WebpCodec, CanvasBeyondTheLimitIsRefused) {
  std::string file = ReadFile(Golden("codec/animated.webp"));
  const size_t canvas = file.find("VP8X") + 12;  // two sides less one, 24 bits each
  file.replace(canvas, 6, "\xFF\x7F\x00\xFF\x7F\x00", 6);
  EXPECT_THAT(ErrorOf([&] { DecodeWebp(AsBytes(file), "a.webp"); }),
              HasSubstr("a picture of 32768 x 32768 pixels is refused"));
}

}  // namespace
}  // namespace vggt
