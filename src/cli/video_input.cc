// SPDX-License-Identifier: Apache-2.0
#include "cli/video_input.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "core/error.h"
#include "core/parallel.h"
#include "image/frames.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr double kMostRate = 1000;      // pictures a second
constexpr size_t kPicturesAtATime = 4;  // prepared at once
constexpr double kMicroseconds = 1e6;   // to which times are kept

Video OpenVideo(const fs::path& file, ProgressDisplay& display) {
  display.Begin("reading the video");
  return Video(file, [&](double share) {
    ThrowIfInterrupted();
    display.Update(share, "");
  });
}

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

bool IsVideoFile(const fs::path& path) {
  std::error_code ignored;
  return HasVideoExtension(path) && !fs::is_directory(path, ignored);
}

VideoInput::VideoInput(const fs::path& file, const VideoChoice& choice, int64_t first,
                       ProgressDisplay& display)
    : file_(file), video_(OpenVideo(file, display)), watched_(file), first_(first) {
  const std::string name = file.string();
  chosen_ = ChooseFrames(video_.times(), video_.duration(), choice, name);
  std::vector<fs::path> places(chosen_.size());
  MoveToFront(places, first);  // refuses what is not there
  display.End();
  ShowNotes(display);
  if (!choice.num_images) return;
  const auto number = static_cast<size_t>(*choice.num_images);
  VideoChoice unbounded = choice;
  unbounded.num_images = std::numeric_limits<int64_t>::max();
  const size_t all = choice.fps || choice.every
                         ? ChooseFrames(video_.times(), video_.duration(), unbounded, name).size()
                         : number;
  if (all > number) {
    display.Note(
        fmt::format("taking the first {} of the {} frames that --{} chooses, as "
                    "--num_images says",
                    number, all, choice.fps ? "fps" : "every"));
  } else if (chosen_.size() < number && all == number) {
    display.Note(fmt::format("the video holds {} frame{}, fewer than the {} asked for: taking all",
                             chosen_.size(), chosen_.size() == 1 ? "" : "s", number));
  }
}

VideoInput::Frames VideoInput::Read(const PreprocessOptions& options, ProgressDisplay& display,
                                    const std::function<void(size_t, const Picture&)>& keep) {
  std::vector<PreparedFrame> prepared;
  std::vector<double> seconds;
  std::vector<VideoFrame> waiting;
  const std::string name = file_.string();
  const auto prepare = [&] {
    const size_t begin = prepared.size();
    prepared.resize(begin + waiting.size());
    ParallelFor(waiting.size(), 1, [&](size_t i) {
      prepared[begin + i] = PrepareFrame(waiting[i].picture, options, name);
      keep(begin + i, waiting[i].picture);
    });
    for (const VideoFrame& frame : waiting) seconds.push_back(frame.seconds);
    waiting.clear();
  };
  video_.Read(
      chosen_,
      [&](VideoFrame frame) {
        waiting.push_back(std::move(frame));
        if (waiting.size() == kPicturesAtATime) prepare();
      },
      [&](double share) {
        ThrowIfInterrupted();
        display.Update(share, fmt::format("at {:.1f} s", share * video_.duration()));
      });
  prepare();
  watched_.CheckIntact();
  ShowNotes(display);
  summary_ = fmt::format("{} frame{} of {} ({:.2f} to {:.2f} s of {:.2f} s)", prepared.size(),
                         prepared.size() == 1 ? "" : "s", PrintableText(file_.filename().string()),
                         seconds.front(), seconds.back(), video_.duration());

  // Some may not have been decodable.
  const auto front = std::min(static_cast<size_t>(first_), prepared.size() - 1);
  Frames out;
  for (size_t i = 0; i < prepared.size(); ++i) out.order.push_back(i);
  std::rotate(out.order.begin(), out.order.begin() + static_cast<ptrdiff_t>(front),
              out.order.begin() + static_cast<ptrdiff_t>(front) + 1);
  std::rotate(prepared.begin(), prepared.begin() + static_cast<ptrdiff_t>(front),
              prepared.begin() + static_cast<ptrdiff_t>(front) + 1);
  const std::string source = Printable(file_.filename().string(), kMostFileName);
  for (const size_t i : out.order) {
    out.sources.push_back({source, std::round(seconds[i] * kMicroseconds) / kMicroseconds});
  }
  out.frames = JoinFrames(prepared);
  return out;
}

void VideoInput::ShowNotes(ProgressDisplay& display) {
  for (; notes_shown_ < video_.notes().size(); ++notes_shown_) {
    display.Note(video_.notes()[notes_shown_]);
  }
}

}  // namespace vggt
