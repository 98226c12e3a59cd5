// SPDX-License-Identifier: Apache-2.0
#include "image/tiff_codec.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

std::string TiffFile(const std::string& name) { return ReadFile(Golden("codec/" + name + ".tif")); }

// `file` with another `value` of a tag whose value is in the directory itself. The file is
// little-endian, as the goldens are unless their names say otherwise.
std::string WithTag(std::string file, uint16_t tag, uint32_t value) {
  uint32_t directory = 0;
  std::memcpy(&directory, file.data() + 4, 4);
  uint16_t count = 0;
  std::memcpy(&count, file.data() + directory, 2);
  for (size_t i = 0; i < count; ++i) {
    char* entry = file.data() + directory + 2 + 12 * i;
    uint16_t found = 0;
    std::memcpy(&found, entry, 2);
    if (found != tag) continue;
    std::memcpy(entry + 8, &value, 4);
    return file;
  }
  ADD_FAILURE() << "no tag " << tag;
  return file;
}

std::string TiffRefusal(const std::string& file) {
  return ErrorOf([&] { DecodeTiff(AsBytes(file), "a.tif"); });
}

TEST(TiffCodec, KnowsItsFiles) {
  for (const char* name : {"grey4", "rgb16", "big"})
    EXPECT_TRUE(IsTiff(AsBytes(TiffFile(name)))) << name;
  EXPECT_FALSE(IsTiff(AsBytes("II*")));
  EXPECT_FALSE(IsTiff(AsBytes(std::string("MM*\0....", 8))));
}

TEST(TiffCodec, SaysWhatIsDamaged) {
  if (!kReadsTiff) {
    EXPECT_THAT(TiffRefusal(TiffFile("lzw")), HasSubstr("this build cannot read TIFF"));
    return;
  }
  const std::string plain = TiffFile("tiles");
  EXPECT_THAT(TiffRefusal(plain.substr(0, 100)), HasSubstr("a.tif: damaged TIFF: "));
  EXPECT_THAT(TiffRefusal(plain.substr(0, plain.size() - 1)),
              HasSubstr("Copy or save the picture again."));
  // libjpeg and libtiff only warn where a JPEG or a fax ends early.
  std::string jpeg = TiffFile("jpeg");
  jpeg.replace(jpeg.find("\xFF\xDA") + 30, 2, "\xFF\xD9");
  EXPECT_THAT(TiffRefusal(jpeg), HasSubstr("damaged TIFF: "));
}

TEST(TiffCodec, PrintsNothing) {
  ::testing::internal::CaptureStderr();
  for (const char* name : {"lzw", "jpeg", "fax", "tiles"}) {
    std::string file = TiffFile(name);
    for (size_t i = 8; i < file.size(); i += 5) file[i] = static_cast<char>(file[i] ^ 0x5A);
    TiffRefusal(file);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(TiffCodec, NamesKindsThatAreNotRead) {
  if (!kReadsTiff) return;
  const std::string file = TiffFile("grey4");
  EXPECT_THAT(TiffRefusal(WithTag(file, 262, 8)),
              HasSubstr("a TIFF with colours of kind 8, which is not "
                        "read. Convert it to PNG or an 8-bit RGB"));
  EXPECT_THAT(TiffRefusal(WithTag(file, 259, 6)), HasSubstr("compression 6"));
  EXPECT_THAT(TiffRefusal(WithTag(file, 258, 32)), HasSubstr("1 × 32 bits"));
  EXPECT_THAT(TiffRefusal(WithTag(TiffFile("tiles"), 262, 6)),
              HasSubstr("YCbCr colours that are not JPEG"));
  EXPECT_THAT(TiffRefusal(WithTag(file, 262, 2)), HasSubstr("1 samples a pixel"));
  EXPECT_THAT(TiffRefusal(WithTag(file, 262, 3)),
              HasSubstr("a.tif: "));  // a palette that is missing
}

TEST(TiffCodec, LargePromisesAreRefusedBeforeAllocating) {
  if (!kReadsTiff) return;
  const std::string file = WithTag(TiffFile("rgbx"), 256, 0xFFFF);
  EXPECT_THAT(TiffRefusal(WithTag(file, 257, 0xFFFF)),
              HasSubstr("a picture of 65535 x 65535 pixels"));
  EXPECT_THAT(TiffRefusal(WithTag(file, 257, 7000)),
              HasSubstr("damaged TIFF: the file ends early"));
  EXPECT_THAT(TiffRefusal(WithTag(TiffFile("tiles"), 322, 0xFFF0)), HasSubstr("a.tif: "));
}

}  // namespace
}  // namespace vggt
