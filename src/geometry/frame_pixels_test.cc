// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_pixels.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "image/png_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

// A picture of two pixels, 10 and 20, side by side.
Picture TwoPixels() { return {2, 1, {10, 11, 12, 20, 21, 22}}; }

std::vector<int> FirstChannel(const Picture& picture, const FrameTransform& transform) {
  std::vector<uint8_t> rgb(size_t{3} * transform.model_width * transform.model_height);
  FillFramePixels(picture, transform, "picture", rgb);
  std::vector<int> out;
  for (size_t i = 0; i < rgb.size(); i += 3) out.push_back(rgb[i]);
  return out;
}

TEST(FramePixels, AreThoseOfThePicture) {
  // Doubled, with a column of padding at the left and a row above.
  EXPECT_EQ(FirstChannel(TwoPixels(), {2, 1, 4, 2, 0, 2, 1, 1, 5, 3}),
            (std::vector<int>{255, 255, 255, 255, 255, 255, 10, 10, 20, 20, 255, 10, 10, 20, 20}));
  // Turned by a quarter, its second row alone.
  EXPECT_EQ(FirstChannel(TwoPixels(), {2, 1, 1, 2, 1, 1, 0, 0, 1, 1, 6}), std::vector<int>{20});
}

TEST(FramePixels, NeedThePictureItself) {
  EXPECT_THAT(ErrorOf([&] {
                FirstChannel(TwoPixels(), {3, 1, 4, 2, 0, 2, 1, 1, 5, 3});
              }),
              HasSubstr("picture: has 2 x 1 pixels, but its export says 3 x 1"));
}

TEST(FramePixels, AreReadForAllFramesOfOneSize) {
  const testing::TestDir dir;
  for (const uint8_t grey : {uint8_t{10}, uint8_t{20}}) {
    const std::vector<uint8_t> rgb(6, grey);
    WritePng(dir.path() / fmt::format("{}.png", grey), 2, 1, rgb);
  }
  FrameList frames;
  frames.transforms.assign(2, {2, 1, 2, 1, 0, 1, 0, 0, 2, 1});
  const auto picture_of = [&](size_t frame) {
    return dir.path() / fmt::format("{}.png", 10 * (frame + 1));
  };
  EXPECT_EQ(ReadFramePixels(frames, picture_of),
            (std::vector<uint8_t>{10, 10, 10, 10, 10, 10, 20, 20, 20, 20, 20, 20}));
  const auto stop = [] { throw Error("stopped"); };
  EXPECT_EQ(ErrorOf([&] { ReadFramePixels(frames, picture_of, stop); }), "stopped");

  FrameList large = frames;
  for (FrameTransform& t : large.transforms) t.model_width = t.model_height = 1'000'000;
  EXPECT_THAT(ErrorOf([&] { ReadFramePixels(large, picture_of); }),
              HasSubstr("2 frames of 1000000 x 1000000 pixels are more than fits here"));

  EXPECT_NO_THROW(CheckEqualSizes(frames, "export"));
  frames.transforms[1].model_width = 3;
  EXPECT_EQ(ErrorOf([&] { CheckEqualSizes(frames, "export"); }),
            "export: frames of the export have different sizes");
}

}  // namespace
}  // namespace vggt
