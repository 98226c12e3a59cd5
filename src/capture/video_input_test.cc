// SPDX-License-Identifier: Apache-2.0
#include "capture/video_input.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

TEST(VideoInput, AFileThatChangesWhileItIsReadIsRefused) {
  const TestDir dir;
  const std::filesystem::path file = dir / "a.mkv";
  std::filesystem::copy(testing::SourceDir() / "fuzz/seeds/read_video/a.mkv", file);
  CaptureProgress quiet;
  for (const bool changed : {false, true}) {
    const auto read = [&] {
      VideoInput video(file, {.num_images = 1}, 0, quiet);
      if (changed) std::ofstream(file, std::ios::app) << "more";
      return video.Read({.target = 28}, [](size_t, const Picture&) {}).frames.frames;
    };
    if (!ReadsVideo()) {
      EXPECT_THAT(testing::ErrorOf(read), ::testing::HasSubstr("a.mkv"));
    } else if (changed) {
      EXPECT_THAT(testing::ErrorOf(read), ::testing::HasSubstr("a.mkv: was changed or truncated"));
    } else {
      EXPECT_EQ(read(), 1);
    }
  }
}

TEST(VideoInput, CanBeStopped) {
  const std::filesystem::path file = testing::SourceDir() / "fuzz/seeds/read_video/a.mkv";
  CaptureProgress quiet;
  if (!ReadsVideo()) {
    EXPECT_THROW(VideoInput(file, {.num_images = 1}, 0, quiet), Error);
    return;
  }
  EXPECT_THROW(VideoInput(file, {.num_images = 1}, 0, quiet, [] { throw Interrupted(); }),
               Interrupted);
  bool stop = false;
  VideoInput video(file, {.num_images = 1}, 0, quiet, [&] {
    if (stop) throw Interrupted();
  });
  stop = true;
  EXPECT_THROW(video.Read({.target = 28}, [](size_t, const Picture&) {}), Interrupted);
}

}  // namespace
}  // namespace vggt
