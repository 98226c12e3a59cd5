// SPDX-License-Identifier: Apache-2.0
#include "render/fonts.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "render/typeset.h"
#include "testing.h"

// As in fonts.cc.
extern "C" {
extern const uint8_t vggt_font_regular_begin[];
extern const uint8_t vggt_font_regular_end[];
}

namespace vggt {
namespace {

namespace fs = std::filesystem;

// The file that text of a weight is drawn with.
std::string FileOf(const char* family, int weight) {
  FcPattern* pattern = FcPatternCreate();
  FcPatternAddString(pattern, FC_FAMILY, reinterpret_cast<const FcChar8*>(family));
  FcPatternAddInteger(pattern, FC_WEIGHT, weight);
  FcConfigSubstitute(AllFonts(), pattern, FcMatchPattern);
  FcDefaultSubstitute(pattern);
  FcResult result;
  FcPattern* font = FcFontMatch(AllFonts(), pattern, &result);
  FcChar8* file = nullptr;
  std::string path;
  if (font != nullptr && FcPatternGetString(font, FC_FILE, 0, &file) == FcResultMatch) {
    path = reinterpret_cast<const char*>(file);
  }
  if (font != nullptr) FcPatternDestroy(font);
  FcPatternDestroy(pattern);
  return path;
}

TEST(Fonts, BothWeightsArePartOfTheProgram) {
  const std::string regular = FileOf(kFontFamily, FC_WEIGHT_REGULAR);
  const std::string semibold = FileOf(kFontFamily, FC_WEIGHT_DEMIBOLD);
  EXPECT_EQ(regular.rfind("/proc/self/fd/", 0), 0U) << regular;
  EXPECT_EQ(semibold.rfind("/proc/self/fd/", 0), 0U) << semibold;
  EXPECT_NE(regular, semibold);
}

// GLib would end the process where it can have no thread and no memory.
TEST(Fonts, TooFewAddressesAreTold) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit = before;
  limit.rlim_cur = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + (uint64_t{50} << 20);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  const std::string said = testing::ErrorOf([] { return AllFonts(); });
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_THAT(said, ::testing::HasSubstr(" MB of addresses, and "));
  EXPECT_THAT(said, ::testing::HasSubstr("ulimit -v"));
  EXPECT_NE(AllFonts(), nullptr);
}

TEST(Fonts, AreLoadedOnce) { EXPECT_EQ(AllFonts(), AllFonts()); }

// Whatever begins with the family's name is no copy of it.
TEST(Fonts, OnlyTheSystemsInterIsPutAside) {
  const testing::TestDir dir;
  const std::string font(vggt_font_regular_begin, vggt_font_regular_end);
  for (const char* name : {"Inter-Regular.otf", "Inter.ttc", "Inter[wght].ttf", "Internal.otf"}) {
    dir.Write(name, font);
  }
  const std::string config =
      dir.Write("fonts.conf", "<?xml version='1.0'?><fontconfig><dir>" + dir.path().string() +
                                  "</dir></fontconfig>");
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("FONTCONFIG_FILE", config.c_str(), 1);
        const FcFontSet* fonts = FcConfigGetFonts(AllFonts(), FcSetSystem);
        FcChar8* file = nullptr;
        const bool is_one = fonts != nullptr && fonts->nfont == 1 &&
                            FcPatternGetString(fonts->fonts[0], FC_FILE, 0, &file) == FcResultMatch;
        std::_Exit(is_one && fs::path(reinterpret_cast<const char*>(file)).filename() ==
                                 "Internal.otf"
                       ? 0
                       : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// A machine without any font.
TEST(Fonts, TextNeedsNoFontOfTheSystem) {
  const testing::TestDir dir;
  const std::string config =
      dir.Write("fonts.conf", "<?xml version='1.0'?><fontconfig></fontconfig>");
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("FONTCONFIG_FILE", config.c_str(), 1);
        const double width = Typesetter().Width("attention ≥ 8.1·10⁻⁵", {10, false, {}});
        const std::string file = FileOf(kFontFamily, FC_WEIGHT_REGULAR);
        std::_Exit(width > 60 && width < 160 && file.rfind("/proc/self/fd/", 0) == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vggt
