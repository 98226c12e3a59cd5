// SPDX-License-Identifier: Apache-2.0
#include "image/codec.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "image/capabilities.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// The pictures of golden/codec (tests/golden/make_codec*.py), without the expected pixels.
std::set<fs::path> GoldenPictures() {
  std::set<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(Golden("codec"))) {
    if (entry.path().string().find(".expected.") == std::string::npos) paths.insert(entry.path());
  }
  return paths;
}

// Whether this build lacks the library that reads `path`; checks that it then says so.
bool Missing(const fs::path& path) {
  for (const Capability& capability : Capabilities()) {
    std::string format(capability.format);
    std::ranges::transform(format, format.begin(), [](char c) { return std::tolower(c); });
    if (path.extension().string().starts_with("." + format.substr(0, 3)) && !capability.present) {
      EXPECT_THAT(ErrorOf([&] { ReadPicture(path); }),
                  HasSubstr("this build cannot read " + std::string(capability.format)));
      return true;
    }
  }
  return false;
}

int LargestDifference(const Picture& a, const Picture& b) {
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
  }
  return largest;
}

TEST(Codec, PixelsEqualPillows) {
  const auto paths = GoldenPictures();
  ASSERT_EQ(paths.size(), 116U);
  for (const fs::path& path : paths) {
    if (Missing(path)) continue;
    const Picture found = ReadPicture(path);
    const Picture expected = ReadPicture(path.string() + ".expected.png");
    ASSERT_EQ(found.width, expected.width) << path;
    ASSERT_EQ(found.height, expected.height) << path;
    // Pillow does not read HEIC; releases of libheif round colours differently.
    EXPECT_LE(LargestDifference(found, expected), path.extension() == ".heic" ? 2 : 0) << path;
  }
}

// Of pictures of golden/codec that have alpha (tests/reference/make_picture_golden.py).
TEST(Codec, WithoutAlphaPixelsEqualPillows) {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(Golden("pictures/alpha"))) {
    ++cases;
    const fs::path path = Golden("codec/" + entry.path().stem().string());
    if (Missing(path)) continue;
    const std::string file = ReadFile(path);
    const Picture found = DecodePicture(AsBytes(file), path.string(), AlphaUse::kDropped);
    EXPECT_TRUE(found.rgb == ReadPicture(entry.path()).rgb) << path;
  }
  EXPECT_EQ(cases, 13);
}

// Whether the picture is complete without the end of the file, which is what follows the first
// frame of a GIF or an AVIF sequence, or the end mark of a fax or a run-length coded BMP.
bool EndIsSpare(const fs::path& path) {
  return path.extension() == ".gif" || path.filename() == "animated.avif" ||
         path.filename() == "fax.tif" || path.filename().string().starts_with("rle");
}

TEST(Codec, CutAnywhereIsAnError) {
  for (const fs::path& path : GoldenPictures()) {
    if (Missing(path)) continue;
    const std::string whole = ReadFile(path);
    const Picture expected = DecodePicture(AsBytes(whole), "whole");
    size_t spare = 0;
    for (size_t size = 0; size < whole.size(); ++size) {
      // A copy of exactly this size, so that the sanitizer sees reads beyond it.
      const std::string cut(whole, 0, size);
      try {
        const Picture found = DecodePicture(AsBytes(cut), "cut");
        EXPECT_TRUE(EndIsSpare(path)) << path << " cut to " << size;
        EXPECT_TRUE(found.rgb == expected.rgb) << path << " cut to " << size;
        ++spare;
      } catch (const Error& e) {
        EXPECT_EQ(e.where(), "cut");
        EXPECT_EQ(spare, 0U) << path << " cut to " << size;
      }
    }
  }
}

TEST(Codec, DamagedBytesNeverCrash) {
  size_t refused = 0, tried = 0;
  for (const fs::path& path : GoldenPictures()) {
    if (Missing(path)) continue;
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
  // TIFF, BMP, GIF and HEIC have no checksums: a damaged byte may give another valid picture.
  EXPECT_GT(refused, tried / 4);
}

TEST(Codec, NamesWhatItDoesNotRead) {
  const auto refusal = [](const std::string& bytes) {
    return ErrorOf([&] { DecodePicture(AsBytes(bytes), "a.png"); });
  };
  EXPECT_EQ(refusal(""), "a.png: the file is empty");
  EXPECT_EQ(refusal(std::string("8BPS\0\1", 6)),
            "a.png: is a Photoshop file, which is not read. Convert it to PNG or JPEG.");
  EXPECT_THAT(refusal("\xFF\x0A...."), HasSubstr("is a JPEG XL"));
  EXPECT_THAT(refusal(std::string("\0\0\0\x18"
                                  "ftypisom",
                                  12)),
              HasSubstr("is a video"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_EQ(refusal("hello\x01world"),
            "a.png: is not a picture; it begins with \"hello?world\". This build " +
                CapabilitiesText() + ".");
}

TEST(Codec, TellsByContentNotByName) {
  const TestDir dir;
  const auto path = dir.Write("jpeg.png", ReadFile(Golden("codec/444.jpg")));
  EXPECT_EQ(ReadPicture(path).rgb, ReadPicture(Golden("codec/444.jpg")).rgb);
  EXPECT_THAT(ErrorOf([&] { ReadPicture(dir / "missing.png"); }),
              HasSubstr("missing.png: no such file"));
}

TEST(Codec, KnowsWhatBrowsersShow) {
  for (const char* name : {"rgb8.png", "420.jpg", "lossy.webp"}) {
    EXPECT_TRUE(BrowsersShow(Golden("codec") / name)) << name;
  }
  for (const char* name :
       {"420.heic", "420.avif", "lzw.tif", "rgb.bmp", "plain.gif", "missing.png"}) {
    EXPECT_FALSE(BrowsersShow(Golden("codec") / name)) << name;
  }
}

TEST(Codec, KnowsPicturesByExtension) {
  EXPECT_EQ(PictureExtension("a.png"), "png");
  EXPECT_EQ(PictureExtension("a.b.JPG"), "jpg");
  EXPECT_EQ(PictureExtension("/x.y/a.JpEg"), "jpeg");
  EXPECT_EQ(PictureExtension("a.webp"), "webp");
  EXPECT_EQ(PictureExtension("IMG_0412.HEIC"), "heic");
  for (const char* name : {"a", "png", "a.", "a.pngx", "a.pdf", ".png", "a.png/b", ""}) {
    EXPECT_EQ(PictureExtension(name), "") << name;
  }
}

}  // namespace
}  // namespace vggt
