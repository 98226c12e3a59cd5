// SPDX-License-Identifier: Apache-2.0
#include "image/video_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace vggt {
namespace {

// Doubles do not hold the times exactly. Two distances that differ by less than this are equal.
constexpr double kSameTime = 1e-6;  // seconds

void CheckWishes(const VideoChoice& choice) {
  if (choice.fps && choice.every) {
    throw Error("frames are chosen by `fps` or by `every`, not by both", "", "Give one of them.");
  }
  if (choice.fps && !(*choice.fps > 0 && std::isfinite(*choice.fps))) {
    throw Error(fmt::format("{} frames a second were asked for", *choice.fps), "",
                "Ask for more than 0.");
  }
  if (choice.every.value_or(1) < 1) {
    throw Error(fmt::format("every {}th frame was asked for", *choice.every), "",
                "Ask for every frame (1) or fewer.");
  }
  if (choice.num_images.value_or(1) < 1) {
    throw Error(fmt::format("{} frames were asked for", *choice.num_images), "",
                "Ask for at least one.");
  }
}

// The index, from `first` to `last`, of the frame nearest to `time`.
size_t NearestFrame(std::span<const double> times, size_t first, size_t last, double time) {
  const auto begin = times.begin();
  const auto after = std::lower_bound(begin + static_cast<std::ptrdiff_t>(first),
                                      begin + static_cast<std::ptrdiff_t>(last), time);
  const auto found = static_cast<size_t>(after - begin);
  if (found == first) return first;
  const bool earlier = time - times[found - 1] <= times[found] - time + kSameTime;
  return earlier ? found - 1 : found;
}

std::vector<size_t> ChooseEvenly(std::span<const double> times, double duration, size_t wanted) {
  std::vector<size_t> chosen(std::min(wanted, times.size()));
  size_t free = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    // Leaves enough frames for the choices that follow.
    const size_t last = times.size() - (chosen.size() - i);
    const double time =
        duration * static_cast<double>(i) / static_cast<double>(std::max<size_t>(wanted, 1));
    chosen[i] = NearestFrame(times, free, last, time);
    free = chosen[i] + 1;
  }
  return chosen;
}

// Takes each frame to which some multiple of 1 / fps is nearer than to its neighbours.
std::vector<size_t> ChooseByRate(std::span<const double> times, double duration, double fps) {
  std::vector<size_t> chosen = {0};
  // `taken` is the largest k for which k / fps is nearest to one of the frames seen so far.
  const auto last_below = [&](double time) { return std::floor((time + kSameTime) * fps); };
  double taken = times.size() == 1 ? 0 : last_below((times[0] + times[1]) / 2);
  for (size_t i = 1; i < times.size(); ++i) {
    const bool last = i + 1 == times.size();
    // A time at the very end of the video belongs to no frame.
    const double end =
        last ? std::max(times[i], duration - 2 * kSameTime) : (times[i] + times[i + 1]) / 2;
    const double mine = last_below(end);
    if (mine > taken) chosen.push_back(i);
    taken = std::max(taken, mine);
  }
  return chosen;
}

}  // namespace

std::vector<size_t> ChooseFrames(std::span<const double> times, double duration,
                                 const VideoChoice& choice, const std::string& name) {
  CheckWishes(choice);
  if (!choice.fps && !choice.every) {
    const int64_t number = choice.num_images.value_or(kVideoFramesByDefault);
    return ChooseEvenly(times, duration, static_cast<size_t>(number));
  }
  std::vector<size_t> chosen;
  if (choice.fps) {
    chosen = ChooseByRate(times, duration, *choice.fps);
  } else {
    const size_t step = static_cast<size_t>(*choice.every);
    for (size_t i = 0; i < times.size(); i += std::min(step, times.size() - i)) chosen.push_back(i);
  }
  if (!choice.num_images && chosen.size() > static_cast<size_t>(kMostUncountedFrames)) {
    throw Error(fmt::format("{} of its {} frames would be taken, more than {}", chosen.size(),
                            times.size(), kMostUncountedFrames),
                name,
                fmt::format("Give {}, or `num_images` for the most that are taken.",
                            choice.fps ? "a smaller `fps`" : "a larger `every`"));
  }
  if (choice.num_images && static_cast<size_t>(*choice.num_images) < chosen.size()) {
    chosen.resize(static_cast<size_t>(*choice.num_images));
  }
  return chosen;
}

}  // namespace vggt
