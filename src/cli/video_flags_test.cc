// SPDX-License-Identifier: Apache-2.0
#include "cli/video_flags.h"

#include <gmock/gmock.h>

#include "cli/command.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

VideoFlags ParseVideoFlags(std::vector<std::string> arguments) {
  VideoFlags flags;
  CLI::App app;
  DeclareVideoFlags(app, flags);
  std::ranges::reverse(arguments);
  app.parse(arguments);
  return flags;
}

TEST(VideoFlags, SayWhatIsChosen) {
  const VideoChoice evenly = ChoiceOf(ParseVideoFlags({"--video", "a.mp4"}), 7);
  EXPECT_FALSE(evenly.fps || evenly.every);
  EXPECT_EQ(evenly.num_images, 7);
  // The default of --num_images does not bound them.
  const VideoChoice rate = ChoiceOf(ParseVideoFlags({"--fps", "1/4"}), 7);
  EXPECT_EQ(rate.fps, 0.25);
  EXPECT_FALSE(rate.every || rate.num_images);
  VideoFlags flags = ParseVideoFlags({"--every", "30"});
  EXPECT_EQ(ChoiceOf(flags, 7).every, 30);
  EXPECT_FALSE(ChoiceOf(flags, 7).num_images);
  flags.number_given = true;
  EXPECT_EQ(ChoiceOf(flags, 7).num_images, 7);
}

TEST(VideoFlags, WrongOnesAreRefused) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--fps", "0"},
                                                {"--fps", "-1"},
                                                {"--fps", "nan"},
                                                {"--fps", "1/0"},
                                                {"--fps", "1001"},
                                                {"--every", "0"},
                                                {"--every", "1.5"},
                                                {"--fps", "1", "--every", "2"},
                                                {"--video", ""},
                                                {"--video"}}) {
    EXPECT_THROW(ParseVideoFlags(wrong), CLI::ParseError) << wrong[0] << ' ' << wrong.back();
  }
}

TEST(VideoFlags, NeedAVideo) {
  EXPECT_NO_THROW(RefuseVideoFlags({}));
  EXPECT_THROW(RefuseVideoFlags(ParseVideoFlags({"--fps", "1"})), WrongUsage);
  EXPECT_THROW(RefuseVideoFlags(ParseVideoFlags({"--every", "1"})), WrongUsage);
}

TEST(VideoFlags, AVideoIsToldByItsName) {
  const TestDir dir;
  std::filesystem::create_directory(dir / "folder.mp4");
  EXPECT_TRUE(IsVideoFile(dir.Write("a.MOV", "")));
  EXPECT_TRUE(IsVideoFile(dir / "missing.mp4"));
  EXPECT_FALSE(IsVideoFile(dir / "folder.mp4"));
  EXPECT_FALSE(IsVideoFile(dir.Write("a.png", "")));
  EXPECT_FALSE(IsVideoFile(""));
}

}  // namespace
}  // namespace vggt
