// SPDX-License-Identifier: Apache-2.0
#include "image/gif_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string Gif(const std::string& name) { return ReadFile(Golden("codec/" + name + ".gif")); }

std::string GifRefusal(const std::string& file) {
  return ErrorOf([&] { DecodeGif(AsBytes(file), "a.gif"); });
}

TEST(GifCodec, KnowsItsFiles) {
  EXPECT_TRUE(IsGif(AsBytes(Gif("plain"))));
  EXPECT_FALSE(IsGif(AsBytes("GIF88a")));
  EXPECT_FALSE(IsGif(AsBytes("GIF89")));
}

TEST(GifCodec, SaysWhatIsDamaged) {
  const std::string whole = Gif("plain");
  if (!kReadsGif) {
    EXPECT_THAT(GifRefusal(whole), HasSubstr("this build cannot read GIF"));
    return;
  }
  EXPECT_THAT(GifRefusal(whole.substr(0, 10)), HasSubstr("a.gif: damaged GIF: "));
  EXPECT_THAT(GifRefusal(whole.substr(0, whole.size() / 2)),
              HasSubstr("Copy or save the picture again."));
  EXPECT_THAT(GifRefusal(whole.substr(0, 13 + 48) + ";"),
              HasSubstr("damaged GIF: it has no frame"));
}

TEST(GifCodec, LargePromisesAreRefusedBeforeAllocating) {
  if (!kReadsGif) return;
  std::string file = Gif("plain");
  file.replace(6, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_THAT(GifRefusal(file), HasSubstr("a picture of 65535 x 65535 pixels is refused"));
  file = Gif("plain");
  // The canvas has an allowed size, but must not be filled before the frame is decoded.
  file.replace(6, 4, "\x20\x4E\x20\x4E");  // 20000 x 20000
  EXPECT_THAT(GifRefusal(file.substr(0, 100)), HasSubstr("damaged GIF"));
  file = Gif("plain");
  const size_t frame = 13 + 48;
  ASSERT_EQ(file[frame], ',');
  file.replace(frame + 5, 4, "\x20\x4E\x20\x4E");  // 20000 x 20000
  EXPECT_THAT(GifRefusal(file), HasSubstr("damaged GIF: the file ends early"));
}

}  // namespace
}  // namespace vggt
