// SPDX-License-Identifier: Apache-2.0
#include "geometry/picture_names.h"

#include <gmock/gmock.h>

#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;

constexpr std::optional<int64_t> kNone;

TEST(PictureNames, AreThoseOfTheFilesThatFramesWereTakenFrom) {
  const FrameList frames = PlainFrames(3, 2, 2);
  EXPECT_THAT(FramesOf({"images/02.jpg", "07.jpg", "00.jpg"}, frames, "cameras.json"),
              ElementsAre(2, kNone, 0));
}

TEST(PictureNames, ElseThoseOfTheCopies) {
  FrameList frames = PlainFrames(3, 2, 2);
  EXPECT_THAT(FramesOf({"frame_01.jpg"}, frames, "a"), ElementsAre(1));
  frames.sources.clear();
  EXPECT_THAT(FramesOf({"frame_01.jpg", "01.jpg"}, frames, "a"), ElementsAre(1, kNone));
}

TEST(PictureNames, OfAVideoNameNoFrame) {
  FrameList frames = PlainFrames(2, 2, 2);
  for (PictureSource& source : frames.sources) source.file = "kitchen.mp4";
  EXPECT_THAT(FramesOf({"frame_01.jpg"}, frames, "a"), ElementsAre(1));
  EXPECT_THAT(ErrorOf([&] { return FramesOf({"kitchen.mp4"}, frames, "a"); }),
              HasSubstr("not those of the export"));
}

TEST(PictureNames, AreRefusedIfNoneFits) {
  const FrameList frames = PlainFrames(3, 2, 2);
  EXPECT_THAT(ErrorOf([&] {
                return FramesOf({"a.png", "b.png"}, frames, "cameras.json");
              }),
              HasSubstr("cameras.json: its pictures are not those of the export: it tells of a.png "
                        "and others, the export of 00.jpg and others. Pictures are found"));
  EXPECT_THAT(ErrorOf([&] { return FramesOf({}, frames, "cameras.json"); }),
              HasSubstr("it tells of none"));
}

TEST(PictureNames, AreRefusedIfTwoAreOneFrame) {
  const FrameList frames = PlainFrames(3, 2, 2);
  EXPECT_THAT(ErrorOf([&] {
                return FramesOf({"left/01.jpg", "right/01.jpg"}, frames, "a");
              }),
              HasSubstr("two of its pictures are frame 1: left/01.jpg and right/01.jpg"));
}

TEST(PictureNames, PicturesHaveTheirSize) {
  FrameList frames = PlainFrames(2, 2, 3);
  CheckPictureIs(frames, 1, 42, 28, "a");
  EXPECT_THAT(ErrorOf([&] { CheckPictureIs(frames, 1, 28, 42, "cameras.json"); }),
              HasSubstr("cameras.json: its picture of frame 1 has 28 x 42 pixels, that of the "
                        "export 42 x 28 as it is stored"));
}

}  // namespace
}  // namespace vggt
