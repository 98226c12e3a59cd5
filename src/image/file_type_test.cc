// SPDX-License-Identifier: Apache-2.0
#include "image/file_type.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Box(unsigned char size, const std::string& rest) {
  return std::string("\0\0\0", 3) + static_cast<char>(size) + "ftyp" + rest;
}

TEST(FileTypeBrands, ReadsTheMajorBrandAndTheCompatibleOnes) {
  const std::string file = Box(24,
                               "mif1\x01\x02\x03\x04miafavif"
                               "meta");
  EXPECT_THAT(FileTypeBrands(AsBytes(file)), ElementsAre("mif1", "miaf", "avif"));
  const std::string bare = Box(16, "heic\x01\x02\x03\x04moov");
  EXPECT_THAT(FileTypeBrands(AsBytes(bare)), ElementsAre("heic"));
}

TEST(FileTypeBrands, StaysInsideTheFile) {
  const std::string cut = Box(200, "mif1\x01\x02\x03\x04miafav");
  EXPECT_THAT(FileTypeBrands(AsBytes(cut)), ElementsAre("mif1", "miaf"));
  const std::string tiny = Box(0, "heic");
  EXPECT_THAT(FileTypeBrands(AsBytes(tiny)), ElementsAre("heic"));
}

TEST(FileTypeBrands, HasNoneElsewhere) {
  for (const char* other : {"", "ftyp", "1234ftypab", "PNG ftypheic"}) {
    if (std::string(other).substr(0, 3) != "PNG") {
      EXPECT_THAT(FileTypeBrands(AsBytes(other)), IsEmpty()) << other;
    }
  }
  const std::string moved = "12345ftypheic1234";
  EXPECT_THAT(FileTypeBrands(AsBytes(moved)), IsEmpty());
}

}  // namespace
}  // namespace vggt
