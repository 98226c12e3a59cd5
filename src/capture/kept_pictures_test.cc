// SPDX-License-Identifier: Apache-2.0
#include "capture/kept_pictures.h"

#include <gmock/gmock.h>

#include "image/codec.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::Golden;
using testing::TestDir;

TEST(KeptPictures, AreCopiesWhereBrowsersShowThemElsePng) {
  const TestDir dir;
  const std::vector<fs::path> pictures = {
      Golden("codec/420.jpg"), Golden("codec/rgba.bmp"),
      dir.Write("really.JPG", ReadFile(Golden("codec/rle8.bmp"))),
      dir.Write("B.PNG", ReadFile(Golden("codec/rgb8.png")))};
  const KeptPictures kept = PlanKeptPictures(pictures);
  EXPECT_THAT(kept.names, ElementsAre("../images/frame_00.jpg", "../images/frame_01.png",
                                      "../images/frame_02.png", "../images/frame_03.png"));
  KeepPictures(dir / "out", pictures, kept);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const fs::path found = (dir / "out/attn_maps" / kept.names[i]).lexically_normal();
    EXPECT_EQ(ReadPicture(found).rgb, ReadPicture(pictures[i]).rgb) << i;
    EXPECT_EQ(ReadFile(found) == ReadFile(pictures[i]), i == 0 || i == 3) << i;
    EXPECT_TRUE(BrowsersShow(found));
  }
}

TEST(KeptPictures, CanBeStopped) {
  const TestDir dir;
  const std::vector<fs::path> pictures(3, Golden("codec/420.jpg"));
  EXPECT_THROW(
      KeepPictures(dir / "out", pictures, PlanKeptPictures(pictures), [] { throw Interrupted(); }),
      Interrupted);
  EXPECT_FALSE(fs::exists(dir / "out"));
}

TEST(KeptPictures, WhatCannotBeReadIsAnError) {
  const TestDir dir;
  const std::vector<fs::path> pictures = {dir.Write("a.bmp", "BM")};
  EXPECT_THAT(
      testing::ErrorOf([&] { KeepPictures(dir / "out", pictures, PlanKeptPictures(pictures)); }),
      ::testing::HasSubstr("a.bmp: damaged BMP"));
}

}  // namespace
}  // namespace vggt
