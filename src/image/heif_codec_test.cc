// SPDX-License-Identifier: Apache-2.0
#include "image/heif_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string Heic(const std::string& name) { return ReadFile(Golden("codec/" + name + ".heic")); }

TEST(HeifCodec, KnowsItsFiles) {
  EXPECT_TRUE(IsHeif(AsBytes(Heic("420"))));
  EXPECT_FALSE(IsHeif(AsBytes(ReadFile(Golden("codec/420.avif")))));
  EXPECT_FALSE(IsHeif(AsBytes(ReadFile(Golden("codec/420.jpg")))));
  const std::string video = std::string("\0\0\0\x14", 4) + "ftypisom" + "1234" + "mp42";
  EXPECT_FALSE(IsHeif(AsBytes(video)));
}

TEST(HeifCodec, SaysWhatIsDamaged) {
  const std::string whole = Heic("420");
  const auto refusal = [](const std::string& file) {
    return ErrorOf([&] { DecodeHeif(AsBytes(file), "a.heic"); });
  };
  if (!kReadsHeif) {
    EXPECT_THAT(refusal(whole), HasSubstr("this build cannot read HEIC"));
    return;
  }
  EXPECT_THAT(refusal(whole.substr(0, 200)), HasSubstr("a.heic: damaged HEIC: "));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 1)),
              HasSubstr("Copy or save the picture again"));
}

TEST(HeifCodec, LargePromisesAreRefused) {
  if (!kReadsHeif) return;
  std::string file = Heic("420");
  const size_t extent = file.find("ispe") + 8;
  file.replace(extent, 8, std::string("\0\1\0\0\0\1\0\0", 8));
  EXPECT_THAT(ErrorOf([&] { DecodeHeif(AsBytes(file), "a.heic"); }), HasSubstr("a.heic: "));
}

}  // namespace
}  // namespace vggt
