// SPDX-License-Identifier: Apache-2.0
#include "capture/video_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "core/error.h"
#include "image/frames.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPicturesAtATime = 4;  // prepared at once
constexpr double kMicroseconds = 1e6;   // to which times are kept

Video OpenVideo(const fs::path& file, CaptureProgress& progress, const StopCheck& stop_check) {
  progress.Begin("reading the video");
  return Video(file, [&](double share) {
    CheckStop(stop_check);
    progress.Update(share, "");
  });
}

}  // namespace

VideoInput::VideoInput(const fs::path& file, const VideoChoice& choice, int64_t first,
                       CaptureProgress& progress, StopCheck stop_check)
    : file_(file),
      progress_(progress),
      stop_check_(std::move(stop_check)),
      video_(OpenVideo(file, progress, stop_check_)),
      watched_(file),
      first_(first) {
  const std::string name = file.string();
  chosen_ = ChooseFrames(video_.times(), video_.duration(), choice, name);
  std::vector<fs::path> places(chosen_.size());
  MoveToFront(places, first);  // refuses what is not there
  progress_.End();
  PassOnNotes();
  if (!choice.num_images) return;
  const auto number = static_cast<size_t>(*choice.num_images);
  VideoChoice unbounded = choice;
  unbounded.num_images = std::numeric_limits<int64_t>::max();
  const size_t all = choice.fps || choice.every
                         ? ChooseFrames(video_.times(), video_.duration(), unbounded, name).size()
                         : number;
  if (all > number) {
    progress_.Note(
        fmt::format("taking the first {} of the {} frames that `{}` chooses, as "
                    "`num_images` says",
                    number, all, choice.fps ? "fps" : "every"));
  } else if (chosen_.size() < number && all == number) {
    progress_.Note(
        fmt::format("the video holds {} frame{}, fewer than the {} asked for: taking all",
                    chosen_.size(), chosen_.size() == 1 ? "" : "s", number));
  }
}

VideoInput::Frames VideoInput::Read(const PreprocessOptions& options,
                                    const std::function<void(size_t, const Picture&)>& keep) {
  std::vector<PreparedFrame> prepared;
  std::vector<double> seconds;
  std::vector<VideoFrame> waiting;
  std::optional<FrameTransform> first;
  const std::string name = file_.string();
  const auto prepare = [&] {
    const size_t begin = prepared.size();
    if (!first && !waiting.empty()) {
      const Picture& picture = waiting[0].picture;
      first = PlanFrame(picture.width, picture.height, options, name);
    }
    prepared.resize(begin + waiting.size());
    ParallelFor(waiting.size(), 1, [&](size_t i) {
      prepared[begin + i] = PrepareFrame(waiting[i].picture, options, name, &*first);
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
        CheckStop(stop_check_);
        progress_.Update(share, fmt::format("at {:.1f} s", share * video_.duration()));
      });
  prepare();
  watched_.CheckIntact();
  PassOnNotes();
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
  out.frames = JoinFrames(prepared, options.rule);
  return out;
}

void VideoInput::PassOnNotes() {
  for (; notes_passed_on_ < video_.notes().size(); ++notes_passed_on_) {
    progress_.Note(video_.notes()[notes_passed_on_]);
  }
}

}  // namespace vggt
