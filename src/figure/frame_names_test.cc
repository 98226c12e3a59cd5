// SPDX-License-Identifier: Apache-2.0
#include "figure/frame_names.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace vggt {
namespace {

using ::testing::ElementsAre;
using Names = std::vector<std::string>;

Names Short(const Names& files, size_t most) {
  std::vector<PictureSource> sources;
  for (const std::string& file : files) sources.push_back({file, {}});
  return ShortNames(sources, most);
}

TEST(FrameNames, NamesOfSources) {
  EXPECT_EQ(SourceName({"IMG_1.jpg", {}}), "IMG_1.jpg");
  EXPECT_EQ(SourceName({"A walk.mp4", 12.4833}), "A walk.mp4 12.48 s");
  EXPECT_EQ(SourceName({"clip.mov", 0.0}), "clip.mov 0.00 s");
}

TEST(FrameNames, FollowTheFramesNumber) {
  FrameList frames;
  frames.frames = 3;
  EXPECT_EQ(FrameTitle(frames, 1), "frame 1");
  EXPECT_EQ(FrameLabel(frames, 1, 16), "frame 1");
  frames.sources = {{"", {}}, {"IMG_20240812_123345.jpg", {}}, {"", {}}};
  EXPECT_EQ(FrameTitle(frames, 0), "frame 0");
  EXPECT_EQ(FrameTitle(frames, 1), "frame 1 · IMG_20240812_123345.jpg");
  EXPECT_EQ(FrameLabel(frames, 1, 16), "frame 1 · IMG_2024…345.jpg");
  EXPECT_EQ(FrameLabel(frames, 2, 16), "frame 2");
}

TEST(FrameNames, FromRightToLeftStandApart) {
  EXPECT_EQ(InLine("IMG 1.jpg"), "IMG 1.jpg");
  EXPECT_EQ(InLine("Küche 1.jpg"), "Küche 1.jpg");
  EXPECT_EQ(InLine("台所.jpg"), "台所.jpg");
  EXPECT_EQ(InLine("صورة 1.jpg"), "\u2068صورة 1.jpg\u2069");
  EXPECT_EQ(InLine("א"), "\u2068א\u2069");
}

TEST(FrameNames, WholeWhereAllOfThemFit) {
  const Names names = {"IMG_0_o1.jpg", "IMG_1_o1.jpg"};
  EXPECT_EQ(Short(names, 12), names);
  EXPECT_THAT(Short(names, 11), ElementsAre("…0…", "…1…"));
  EXPECT_THAT(Short({}, 3), ElementsAre());
  EXPECT_THAT(Short({"", "a.jpg"}, 9), ElementsAre("", "a.jpg"));
}

TEST(FrameNames, KeepTheWordsThatDiffer) {
  Names names;
  for (const int i : {70, 71, 72, 74}) {
    names.push_back(fmt::format("PXL_20240612_123456{}.PORTRAIT-01.COVER.jpg", i));
  }
  EXPECT_THAT(Short(names, 20),
              ElementsAre("…12345670…", "…12345671…", "…12345672…", "…12345674…"));
  EXPECT_THAT(Short(names, 6), ElementsAre("…0…", "…1…", "…2…", "…4…"));
  EXPECT_THAT(Short({"kitchen_left.png", "kitchen_right.png"}, 10),
              ElementsAre("…left…", "…right…"));
  EXPECT_THAT(Short({"left_of_kitchen", "right_of_kitchen"}, 10), ElementsAre("left…", "right…"));
}

TEST(FrameNames, KeepSomethingOfEachName) {
  EXPECT_THAT(Short({"IMG.jpg", "IMG (1).jpg"}, 8), ElementsAre("IMG…", "IMG (1)…"));
  EXPECT_THAT(Short({"long_name", "long_name", "long_name_2"}, 8),
              ElementsAre("…name", "…name", "…name_2"));
  EXPECT_THAT(Short({"__-.jpg", "__--.jpg"}, 5), ElementsAre("…-…", "…--…"));
}

TEST(FrameNames, LoseTheMiddleOfWhatStillDoesNotFit) {
  EXPECT_THAT(Short({"abcdefghijklmnop", "ponmlkjihgfedcba"}, 7),
              ElementsAre("abc…nop", "pon…cba"));
  const Names names = {"ax1234567890ay", "bx1234567890ay", "ax1234567890cy", "ax1234567890dz"};
  const Names cut = Short(names, 6);
  EXPECT_EQ(std::set<std::string>(cut.begin(), cut.end()).size(), 4U);
  EXPECT_THAT(Short({std::string(1000, 'x'), "y.jpg"}, 9), ElementsAre("xxxx…xxxx", "y.jpg"));
}

TEST(FrameNames, AreCutBetweenLetters) {
  std::string first, second;
  for (int i = 0; i < 40; ++i) {
    first += "😀";
    second += "é";
  }
  for (const size_t most : {3, 8, 16, 28}) {
    for (const std::string& name : Short({first, second}, most)) {
      const auto letters =
          std::count_if(name.begin(), name.end(), [](char c) { return (c & 0xC0) != 0x80; });
      EXPECT_LE(letters, static_cast<std::ptrdiff_t>(most));
      EXPECT_NE(name.front() & 0xC0, 0x80);
    }
  }
}

TEST(FrameNames, TimesAreNeverCut) {
  std::vector<PictureSource> sources = {
      {"clip.mp4", 0.0}, {"clip.mp4", 0.5}, {"clip.mp4", 12.4833}};
  EXPECT_THAT(ShortNames(sources, 1), ElementsAre("0.00 s", "0.50 s", "12.48 s"));
  sources.push_back({"IMG_20240812_123345.jpg", {}});
  EXPECT_THAT(ShortNames(sources, 16), ElementsAre("clip.mp4 0.00 s", "clip.mp4 0.50 s",
                                                   "clip.mp4 12.48 s", "IMG_2024…345.jpg"));
  EXPECT_THAT(ShortNames({{"clip_a.mp4", 1.0}, {"clip_b.mp4", 1.0}}, 10),
              ElementsAre("…a… 1.00 s", "…b… 1.00 s"));
}

TEST(FrameNames, AFrameThatStandsAlone) {
  FrameList frames;
  for (int i = 0; i < 3; ++i) frames.sources.push_back({"clip.mp4", static_cast<double>(i)});
  EXPECT_EQ(FrameLabelAlone(frames, 1, 15), "frame 1 · clip.mp4 1.00 s");
  EXPECT_EQ(FrameLabelAlone(frames, 1, 14), "frame 1 · 1.00 s");
  EXPECT_EQ(FrameLabel(frames, 1, 99), "frame 1 · 1.00 s");
}

}  // namespace
}  // namespace vggt
