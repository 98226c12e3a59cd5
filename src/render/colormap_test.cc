// SPDX-License-Identifier: Apache-2.0
#include "render/colormap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <regex>
#include <string>
#include <vector>

namespace vggt {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<uint8_t> FromBase64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t held = 0;
  int bits = 0;
  for (const char letter : text) {
    const size_t value = digits.find(letter);
    if (value == std::string::npos) continue;
    held = held << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<uint8_t>(held >> bits & 255));
    }
  }
  return bytes;
}

TEST(Colormap, TablesAreThoseOfThePage) {
  std::ifstream file(VGGT_SOURCE_DIR "/web/src/core/maps/colormap_tables.ts");
  const std::string source{std::istreambuf_iterator<char>(file), {}};
  for (const Colormap colormap : ChoosableColormaps()) {
    const std::string name(NameOf(colormap));
    std::vector<uint8_t> expected;
    if (colormap == Colormap::kGrey) {
      for (int i = 0; i < 768; ++i) expected.push_back(static_cast<uint8_t>(i / 3));
    } else {
      const size_t from = source.find("  " + name + ": [");
      ASSERT_NE(from, std::string::npos) << name;
      std::string text = source.substr(from, source.find(']', from) - from);
      expected = FromBase64(text.substr(text.find('[')));
    }
    std::vector<uint8_t> got;
    for (const Rgb& rgb : TableOf(colormap)) got.insert(got.end(), rgb.begin(), rgb.end());
    EXPECT_EQ(got, expected) << name;
  }
}

TEST(Colormap, DifferencesAreBlueBelowAndRedAbove) {
  const Rgb below = ColourAt(Colormap::kCoolwarm, 0), above = ColourAt(Colormap::kCoolwarm, 1);
  const Rgb middle = ColourAt(Colormap::kCoolwarm, 0.5);
  EXPECT_GT(below[2], below[0] + 100);
  EXPECT_GT(above[0], above[2] + 100);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(middle[c], 220, 2);
}

TEST(Colormap, IsFoundByItsName) {
  for (const Colormap colormap : ChoosableColormaps()) {
    EXPECT_EQ(ColormapNamed(NameOf(colormap)), colormap);
  }
  EXPECT_EQ(ChoosableColormaps().size(), 6U);
  EXPECT_EQ(ColormapNamed("coolwarm"), Colormap::kCoolwarm);
  EXPECT_EQ(ColormapNamed("Jet"), std::nullopt);
}

// Some of the 256 colours that matplotlib.cm.jet(step, bytes=True) gives.
TEST(Colormap, StepsAreMatplotlibs) {
  const auto near = [](int step, Rgb expected) {
    const Rgb got = ColourAt(Colormap::kJet, step / 255.0);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(got[c], expected[c], 1) << step << " channel " << c;
  };
  near(0, {0, 0, 128});
  near(64, {0, 128, 255});
  near(128, {124, 255, 121});
  near(192, {255, 148, 0});
  near(255, {128, 0, 0});
}

TEST(Colormap, OutsideCountsAsTheEnds) {
  EXPECT_EQ(ColourAt(Colormap::kJet, -3), TableOf(Colormap::kJet)[0]);
  EXPECT_EQ(ColourAt(Colormap::kJet, 7), TableOf(Colormap::kJet)[255]);
  EXPECT_EQ(ColourAt(Colormap::kJet, kNaN), TableOf(Colormap::kJet)[0]);
}

TEST(ColourRange, PositionsAreLinearOrLogarithmic) {
  EXPECT_DOUBLE_EQ(PositionOf(3, {1, 5, false}), 0.5);
  EXPECT_DOUBLE_EQ(PositionOf(-3, {1, 5, false}), 0);
  EXPECT_DOUBLE_EQ(PositionOf(30, {1, 5, false}), 1);
  EXPECT_DOUBLE_EQ(PositionOf(0.01, {0, 1, true}), 0.5);
  EXPECT_DOUBLE_EQ(PositionOf(0, {0, 1, true}), 0);
  EXPECT_DOUBLE_EQ(PositionOf(1e-9, {0, 1, true}), 0);
  EXPECT_TRUE(std::isnan(PositionOf(kNaN, {0, 1, false})));
  for (const ColourRange& range : {ColourRange{-2, 7, false}, ColourRange{0, 0.3, true}}) {
    for (const double at : {0.0, 0.25, 1.0}) {
      EXPECT_NEAR(PositionOf(ValueAt(at, range), range), at, 1e-12);
    }
  }
}

TEST(ColourRange, EmptyRangesHaveTheFirstColour) {
  EXPECT_EQ(PositionOf(1, {1, 1, false}), 0);
  EXPECT_EQ(PositionOf(2, {3, 1, false}), 0);
  EXPECT_EQ(PositionOf(2, {0, 0, true}), 0);
  EXPECT_EQ(PositionOf(2, {0, kNaN, false}), 0);
}

}  // namespace
}  // namespace vggt
