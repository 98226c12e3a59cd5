// SPDX-License-Identifier: Apache-2.0
// Which frames of a video are taken: arithmetic on the times at which they are shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vggt {

// At most one of `fps` and `every`; with neither, frames evenly spaced in time.
struct VideoChoice {
  std::optional<double> fps = {};     // pictures for each second of video, above 0
  std::optional<int64_t> every = {};  // every how many frames, at least 1
  // How many, at least 1. With `fps` or `every` the first so many of theirs.
  std::optional<int64_t> num_images = {};
};

inline constexpr int64_t kVideoFramesByDefault = 5;    // with neither of the three
inline constexpr int64_t kMostUncountedFrames = 1000;  // with `fps` or `every` and no `num_images`

// Indices into `times`: seconds from the first frame on, ascending, at least one. `duration` is the
// end of the last frame, in seconds. The indices are ascending, each once, and begin with 0.
//   evenly   n = num_images: the frames nearest to 0, d/n, 2d/n … of the duration d, as pictures
//            of a folder are taken; where several of these times have the same nearest frame, its
//            neighbours stand in, so that there are n frames unless the video has fewer
//   fps      the frames nearest to 0, 1/fps, 2/fps … below the duration
//   every    frames 0, every, 2 · every …
// Of two frames that are equally near the earlier is taken. Throws Error naming `name` if a wish is
// out of its range, or if more than kMostUncountedFrames would be taken without a `num_images`.
std::vector<size_t> ChooseFrames(std::span<const double> times, double duration,
                                 const VideoChoice& choice, const std::string& name);

}  // namespace vggt
