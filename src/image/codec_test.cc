// SPDX-License-Identifier: Apache-2.0
#include "image/codec.h"

#include <gmock/gmock.h>

#include <set>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// The pictures of golden/codec (tests/golden/make_codec.py), without the expectations.
std::set<fs::path> GoldenPictures() {
  std::set<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(Golden("codec"))) {
    if (entry.path().string().find(".expected.") == std::string::npos) paths.insert(entry.path());
  }
  return paths;
}

TEST(Codec, PixelsEqualPillows) {
  const auto paths = GoldenPictures();
  ASSERT_EQ(paths.size(), 37U);
  for (const fs::path& path : paths) {
    const Picture found = ReadPicture(path);
    const Picture expected = ReadPicture(path.string() + ".expected.png");
    EXPECT_EQ(found.width, expected.width) << path;
    EXPECT_EQ(found.height, expected.height) << path;
    EXPECT_TRUE(found.rgb == expected.rgb) << path;
  }
}

TEST(Codec, CutAnywhereIsAnError) {
  for (const fs::path& path : GoldenPictures()) {
    const std::string whole = ReadFile(path);
    for (size_t size = 0; size < whole.size(); ++size) {
      // A copy of just this size, so that the sanitizer sees reads beyond it.
      const std::string cut(whole, 0, size);
      EXPECT_THROW(DecodePicture(AsBytes(cut), "cut"), Error) << path << " cut to " << size;
    }
  }
}

TEST(Codec, DamagedBytesNeverCrash) {
  size_t refused = 0, tried = 0;
  for (const fs::path& path : GoldenPictures()) {
    std::string bytes = ReadFile(path);
    for (size_t i = 0; i < bytes.size(); i += 3) {
      const char good = std::exchange(bytes[i], static_cast<char>(bytes[i] ^ 0x55));
      try {
        ++tried;
        const Picture picture = DecodePicture(AsBytes(bytes), "damaged");
        EXPECT_EQ(picture.rgb.size(), size_t{3} * picture.width * picture.height);
      } catch (const Error& e) {
        ++refused;
        EXPECT_EQ(e.where(), "damaged");
      }
      bytes[i] = good;
    }
  }
  EXPECT_GT(refused, tried / 2);
}

TEST(Codec, NamesWhatItDoesNotRead) {
  const auto refusal = [](const std::string& bytes) {
    return ErrorOf([&] { DecodePicture(AsBytes(bytes), "a.png"); });
  };
  EXPECT_EQ(refusal(""), "a.png: the file is empty");
  EXPECT_EQ(refusal("GIF89a..."), "a.png: is a GIF, which is not read. Convert it to PNG or JPEG.");
  EXPECT_THAT(refusal("BM6\x04"), HasSubstr("is a BMP"));
  EXPECT_THAT(refusal(std::string("II*\0\x08", 5)), HasSubstr("is a TIFF"));
  EXPECT_THAT(refusal(std::string("MM\0*", 4)), HasSubstr("is a TIFF"));
  EXPECT_THAT(refusal(std::string("\0\0\0\x18"
                                  "ftypheic",
                                  12)),
              HasSubstr("is an HEIC"));
  EXPECT_THAT(refusal(std::string("\0\0\0\x18"
                                  "ftypavif",
                                  12)),
              HasSubstr("is an AVIF"));
  EXPECT_THAT(refusal(std::string("\0\0\0\x18"
                                  "ftypisom",
                                  12)),
              HasSubstr("is a video"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_EQ(refusal("hello\x01world"),
            "a.png: is no picture; it begins with \"hello?world\". PNG, JPEG and WebP are read.");
}

TEST(Codec, TellsByContentNotByName) {
  const TestDir dir;
  const auto path = dir.Write("jpeg.png", ReadFile(Golden("codec/444.jpg")));
  EXPECT_EQ(ReadPicture(path).rgb, ReadPicture(Golden("codec/444.jpg")).rgb);
  EXPECT_THAT(ErrorOf([&] { ReadPicture(dir / "missing.png"); }),
              HasSubstr("missing.png: no such file"));
}

TEST(Codec, KnowsPicturesByExtension) {
  EXPECT_EQ(PictureExtension("a.png"), "png");
  EXPECT_EQ(PictureExtension("a.b.JPG"), "jpg");
  EXPECT_EQ(PictureExtension("/x.y/a.JpEg"), "jpeg");
  EXPECT_EQ(PictureExtension("a.webp"), "webp");
  for (const char* name : {"a", "png", "a.", "a.pngx", "a.gif", ".png", "a.png/b", ""}) {
    EXPECT_EQ(PictureExtension(name), "") << name;
  }
}

}  // namespace
}  // namespace vggt
