// SPDX-License-Identifier: Apache-2.0
#include "capture/capture_input.h"

#include <gmock/gmock.h>

#include <utility>

#include "image/codec.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestDir;

class Notes : public CaptureProgress {
 public:
  void Note(const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

fs::path Demo() { return testing::SourceDir() / "examples/demo/images"; }

CaptureOptions Options(decltype(CaptureOptions::input) input) {
  CaptureOptions options;
  options.input = std::move(input);
  options.image_size = 28;
  return options;
}

TEST(CaptureInput, OfAFolder) {
  const TestDir dir;
  CaptureOptions options = Options(PictureFolder{.dir = Demo(), .num_images = 3});
  options.first_image_idx = 1;
  Notes notes;
  CaptureInput input(options, notes);
  EXPECT_THAT(notes.texts, ElementsAre("taking 3 of 6 pictures, evenly spaced (`num_images`)"));
  EXPECT_THAT(input.places(), ElementsAre(Demo()));
  EXPECT_EQ(input.available(), 6);
  const CapturedPictures read = input.Read(dir.path());
  EXPECT_EQ(read.frames.frames, 3);
  EXPECT_EQ(read.frames.width, 28);
  EXPECT_EQ(read.sources[0].file, "02.jpg");
  EXPECT_EQ(read.sources[1].file, "00.jpg");
  EXPECT_EQ(ReadFile((dir / "attn_maps" / read.names[0]).lexically_normal()),
            ReadFile(Demo() / "02.jpg"));
  EXPECT_EQ(input.video_summary(), "");
}

// Of 780 × 520 pixels. The model's rule counts unless another is asked for; its patches always do.
TEST(CaptureInput, TakesPicturesByTheModelsRule) {
  const TestDir dir;
  Notes notes;
  CaptureOptions options = Options(PictureList{Demo() / "00.jpg"});
  options.image_size = 0;
  const auto frame = [&](const ModelPictures& model) {
    const FrameTransform t =
        CaptureInput(options, notes).Read(dir.path(), model).frames.transforms[0];
    return std::pair(t.model_width, t.model_height);
  };
  EXPECT_EQ(frame({}), std::pair(518, 350));
  EXPECT_EQ(frame({PictureRule::kDa3, 14}), std::pair(504, 336));
  EXPECT_EQ(frame({PictureRule::kOmega, 16}), std::pair(624, 416));
  options.picture_rule = PictureRule::kVggtPad;
  EXPECT_EQ(frame({PictureRule::kOmega, 16}), std::pair(512, 512));
  options.image_size = 56;
  EXPECT_EQ(frame({PictureRule::kDa3, 14}), std::pair(56, 56));
  EXPECT_THAT(testing::ErrorOf([&] {
                frame({PictureRule::kOmega, 16});
              }),
              HasSubstr("`image_size`: image size 56 does not fit patches of 16 pixels"));
}

TEST(CaptureInput, AFolderMayHoldFewer) {
  Notes notes;
  const CaptureOptions options = Options(PictureFolder{.dir = Demo(), .num_images = 9});
  const CaptureInput input(options, notes);
  EXPECT_THAT(notes.texts,
              ElementsAre("the folder holds 6 pictures, fewer than the 9 asked for: taking all"));
}

TEST(CaptureInput, OfAList) {
  const TestDir dir;
  Notes notes;
  const PictureList pictures = {Demo() / "05.jpg", Demo() / "00.jpg"};
  const CaptureOptions options = Options(pictures);
  CaptureInput input(options, notes);
  EXPECT_EQ(input.places(), pictures);
  EXPECT_EQ(input.available(), 2);
  EXPECT_EQ(input.Read(dir.path()).sources[0].file, "05.jpg");
  EXPECT_THAT(notes.texts, IsEmpty());
  CaptureOptions third = options;
  third.first_image_idx = 2;
  EXPECT_THAT(testing::ErrorOf([&] { CaptureInput(third, notes); }),
              HasSubstr("there is no picture 2 among the 2 selected"));
}

TEST(CaptureInput, FramesOfAVideoAreKeptInTheOrderOfTheModel) {
  const TestDir dir;
  Notes notes;
  const fs::path file = testing::SourceDir() / "fuzz/seeds/read_video/a.mkv";
  CaptureOptions options = Options(VideoFrames{file, {.num_images = 3}});
  options.first_image_idx = 2;
  if (!ReadsVideo()) {
    EXPECT_THROW(CaptureInput(options, notes), Error);
    return;
  }
  CaptureInput input(options, notes);
  EXPECT_THAT(input.places(), ElementsAre(file));
  const CapturedPictures read = input.Read(dir.path());
  EXPECT_THAT(read.names, ElementsAre("../images/frame_00.png", "../images/frame_01.png",
                                      "../images/frame_02.png"));
  EXPECT_GT(*read.sources[0].seconds, *read.sources[2].seconds);
  EXPECT_EQ(*read.sources[1].seconds, 0);
  EXPECT_THAT(input.video_summary(), HasSubstr("3 frames of a.mkv (0.00 to "));
  int kept = 0;
  for (const auto& entry : fs::directory_iterator(dir / "images")) {
    EXPECT_GT(ReadPicture(entry.path()).width, 0);
    ++kept;
  }
  EXPECT_EQ(kept, 3);
}

}  // namespace
}  // namespace vggt
