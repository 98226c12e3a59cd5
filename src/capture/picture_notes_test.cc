// SPDX-License-Identifier: Apache-2.0
#include "capture/picture_notes.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(PictureNotes, WhatIsLeftOutIsNamedWithTheWayOn) {
  EXPECT_EQ(LeftOutNote({}), "");
  EXPECT_EQ(LeftOutNote({"2 .txt", ""}), "left out: 2 .txt");
  EXPECT_EQ(LeftOutNote({"1 .mp4 video", "Give it."}), "left out: 1 .mp4 video. Give it.");
}

TEST(PictureNotes, RotationsAreCounted) {
  EXPECT_EQ(RotationNote({}), "");
  EXPECT_EQ(RotationNote({1, 1}), "");
  EXPECT_EQ(RotationNote({6, 1, 8, 2}),
            "3 of 4 pictures carry a rotation that VGGT ignores; `exif_transpose` applies it");
  EXPECT_EQ(RotationNote({1, 3}),
            "1 of 2 pictures carries a rotation that VGGT ignores; `exif_transpose` applies it");
  EXPECT_EQ(RotationNote({3}),
            "1 of 1 picture carries a rotation that VGGT ignores; `exif_transpose` applies it");
}

TEST(PictureNotes, BothOrdersAreShown) {
  EXPECT_EQ(OrderNote({}), "");
  EXPECT_EQ(OrderNote({{"f_1.png", "f_10.png", "f_2.png"}, {"f_1.png", "f_2.png", "f\n3.png"}}),
            "pictures are taken in the order of their names' bytes: f_1.png, f_10.png, f_2.png …; "
            "`sort` natural takes f_1.png, f_2.png, f?3.png …");
}

}  // namespace
}  // namespace vggt
