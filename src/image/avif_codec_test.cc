// SPDX-License-Identifier: Apache-2.0
#include "image/avif_codec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "image/orientation.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string Avif(const std::string& name) { return ReadFile(Golden("codec/" + name + ".avif")); }

TEST(AvifCodec, KnowsItsFiles) {
  EXPECT_TRUE(IsAvif(AsBytes(Avif("420"))));
  EXPECT_TRUE(IsAvif(AsBytes(Avif("animated"))));
  EXPECT_FALSE(IsAvif(AsBytes(ReadFile(Golden("codec/420.heic")))));
  EXPECT_FALSE(IsAvif(AsBytes("avif")));
}

TEST(AvifCodec, SaysWhatIsDamaged) {
  const std::string whole = Avif("420");
  const auto refusal = [](const std::string& file) {
    return ErrorOf([&] { DecodeAvif(AsBytes(file), "a.avif"); });
  };
  if (!kReadsAvif) {
    EXPECT_THAT(refusal(whole), HasSubstr("this build cannot read AVIF"));
    return;
  }
  EXPECT_THAT(refusal(whole.substr(0, 100)), HasSubstr("a.avif: damaged AVIF: "));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 1)),
              HasSubstr("damaged AVIF: Truncated data. Copy or save the picture again."));
  std::string large = whole;
  large.replace(large.find("ispe") + 8, 8, std::string("\0\1\0\0\0\1\0\0", 8));
  EXPECT_THAT(refusal(large), HasSubstr("a.avif: "));
}

TEST(AvifCodec, ReportsHowThePictureIsToBeTurned) {
  EXPECT_EQ(AvifOrientation(AsBytes(Avif("420"))), 1);
  for (int orientation = 2; orientation <= 8; ++orientation) {
    EXPECT_EQ(AvifOrientation(AsBytes(Avif(fmt::format("turned{}", orientation)))),
              kReadsAvif ? orientation : 1);
  }
  EXPECT_EQ(ExifOrientation(AsBytes(Avif("turned6"))), kReadsAvif ? 6 : 1);
  EXPECT_EQ(AvifOrientation(AsBytes(Avif("turned6").substr(0, 100))), 1);
  EXPECT_EQ(AvifOrientation(AsBytes(ReadFile(Golden("codec/turned6.heic")))), 1);
}

}  // namespace
}  // namespace vggt
