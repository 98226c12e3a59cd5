// SPDX-License-Identifier: Apache-2.0
#include "cli/video_flags.h"

#include "cli/command.h"
#include "cli/flag_values.h"
#include "image/video.h"

namespace vggt {
namespace {

constexpr double kMostRate = 1000;  // pictures a second

}  // namespace

void DeclareVideoFlags(CLI::App& app, VideoFlags& flags) {
  app.add_option("--video", flags.video, "take frames of this video: mp4, mov, mkv, webm …")
      ->type_name("FILE")
      ->check(SomeText());
  CLI::Option* fps =
      app.add_option("--fps", flags.fps,
                     "of a video: so many frames for each second, such as 2 or 1/3;\n"
                     "--num_images, if given, is the most that are taken")
          ->type_name("N")
          ->check(Rate(kMostRate));
  app.add_option("--every", flags.every, "of a video: every N-th frame, likewise")
      ->type_name("N")
      ->check(WholeNumber(1, 1'000'000'000))
      ->excludes(fps);
}

VideoChoice ChoiceOf(const VideoFlags& flags, int64_t number) {
  VideoChoice choice;
  if (!flags.fps.empty()) choice.fps = ParseRate(flags.fps, kMostRate);
  if (flags.every > 0) choice.every = flags.every;
  const bool all = choice.fps || choice.every;
  if (flags.number_given || !all) choice.num_images = number;
  return choice;
}

void RefuseVideoFlags(const VideoFlags& flags) {
  const char* given = !flags.fps.empty() ? "--fps" : flags.every > 0 ? "--every" : nullptr;
  if (given != nullptr) {
    throw WrongUsage("only a video has frames to choose from by it", given,
                     "Name the video with --video FILE.");
  }
}

bool IsVideoFile(const std::filesystem::path& path) {
  std::error_code ignored;
  return HasVideoExtension(path) && !std::filesystem::is_directory(path, ignored);
}

}  // namespace vggt
