// SPDX-License-Identifier: Apache-2.0
#include "image/capabilities.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;

constexpr Capability kSome[] = {{"PNG", "libpng", "libpng-dev", true},
                                {"HEIC", "libheif", "libheif-dev", false},
                                {"GIF", "giflib", "libgif-dev", true},
                                {"TIFF", "libtiff", "libtiff-dev", false}};

TEST(Capabilities, TellsWhatIsReadAndWhatIsNot) {
  EXPECT_EQ(CapabilitiesText(kSome), "reads PNG, GIF; not HEIC, TIFF");
  EXPECT_EQ(CapabilitiesText(std::span(kSome).first(1)), "reads PNG");
  EXPECT_THAT(CapabilitiesText(), ::testing::StartsWith("reads PNG, JPEG, WebP"));
  EXPECT_THAT(CapabilitiesText(), ::testing::HasSubstr("BMP"));
}

TEST(Capabilities, RefusalNamesTheLibraryAndTheWayOn) {
  EXPECT_EQ(ErrorOf([] { RefuseMissing(kSome[1], "a.heic"); }),
            "a.heic: this build cannot read HEIC (libheif was missing when it was built). Convert "
            "it to PNG or JPEG, or install libheif-dev and build again.");
  for (const Capability& c : Capabilities()) {
    EXPECT_THAT(ErrorOf([&] { RefuseMissing(c.format, "a"); }),
                ::testing::HasSubstr("cannot read " + std::string(c.format)));
  }
}

}  // namespace
}  // namespace vggt
