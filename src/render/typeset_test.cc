// SPDX-License-Identifier: Apache-2.0
#include "render/typeset.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace vggt {
namespace {

constexpr TextStyle kSeven = {7, false, {}};

TEST(Typeset, TextIsAsWideAsItsSizeSays) {
  const Typesetter type;
  const double width = type.Width("Layer 24, head 3", kSeven);
  EXPECT_GT(width, 7 * 5);
  EXPECT_LT(width, 7 * 12);
  EXPECT_NEAR(type.Width("Layer 24, head 3", {14, false, {}}), 2 * width, 0.1);
  EXPECT_GT(type.Width("Layer 24, head 3", {7, true, {}}), width);
  EXPECT_NEAR(type.Line("x", kSeven).height(), 7 * 1.21, 0.2);
}

TEST(Typeset, LongLinesLoseTheirMiddle) {
  const Typesetter type;
  const std::string name = "a_very_long_name_of_a_picture_IMG_0412.jpg";
  const double whole = type.Width(name, kSeven);
  const SetText fits = type.Line(name, kSeven, whole + 1);
  EXPECT_FALSE(fits.shortened());
  EXPECT_NEAR(fits.width(), whole, 0.1);
  const SetText cut = type.Line(name, kSeven, whole / 2);
  EXPECT_TRUE(cut.shortened());
  EXPECT_LE(cut.width(), whole / 2);
  EXPECT_GT(cut.width(), whole / 2 - 12);
  EXPECT_EQ(cut.lines(), 1);
  EXPECT_EQ(type.Line(name, kSeven, 0).lines(), 1);
}

TEST(Typeset, ParagraphsAreBroken) {
  const Typesetter type;
  const std::string text = "softmax over all keys, as the model computes it";
  const double whole = type.Width(text, kSeven);
  const SetText lines = type.Paragraph(text, kSeven, whole / 2.5);
  EXPECT_EQ(lines.lines(), 3);
  EXPECT_LE(lines.width(), whole / 2.5);
  EXPECT_NEAR(lines.height(), 3 * type.Line(text, kSeven).height(), 0.5);
  // A word without end is broken, too.
  const SetText word = type.Paragraph(std::string(200, 'm'), kSeven, 50);
  EXPECT_GT(word.lines(), 10);
  EXPECT_LE(word.width(), 50);
}

TEST(Typeset, NothingBreaksALineOfText) {
  const Typesetter type;
  EXPECT_TRUE(type.Line("", kSeven).empty());
  EXPECT_EQ(type.Line("a\nb\u2028c", kSeven).lines(), 1);
  EXPECT_EQ(type.Line(std::string("a\0b", 3), kSeven).lines(), 1);
  EXPECT_NEAR(type.Width("a\nb\x01", kSeven), type.Width("a b ", kSeven), 0.1);
  EXPECT_GT(type.Width("\xff\xfe", kSeven), 0);
  EXPECT_GT(type.Width("厨房照片.jpg", kSeven), type.Width(".jpg", kSeven));
  EXPECT_EQ(type.Line(std::string(1'000'000, 'm'), kSeven, 100).lines(), 1);
}

TEST(Typeset, SeveralThreadsSetTheSame) {
  std::vector<double> widths(4);
  std::vector<std::thread> threads;
  for (double& width : widths) {
    threads.emplace_back([&width] {
      for (int i = 0; i < 20; ++i) width = Typesetter().Width("frame 0 · kitchen.jpg", kSeven);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const double width : widths) EXPECT_EQ(width, widths.front());
}

}  // namespace
}  // namespace vggt
