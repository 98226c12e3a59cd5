// SPDX-License-Identifier: Apache-2.0
// Chooses frames of a video by the times at which they are shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vggt {

// How frames are chosen. At most one of `fps` and `every` is set; with neither, the frames are
// evenly spaced in time.
struct VideoChoice {
  std::optional<double> fps = {};     // frames for each second of video, above 0
  std::optional<int64_t> every = {};  // take every `every`-th frame, at least 1
  // How many frames, at least 1. With `fps` or `every`: at most so many, the first ones.
  std::optional<int64_t> num_images = {};
};

inline constexpr int64_t kVideoFramesByDefault = 5;    // if none of the three is set
inline constexpr int64_t kMostUncountedFrames = 1000;  // with `fps` or `every` and no `num_images`

// Returns indices into `times`, strictly ascending, beginning with 0. `times` are seconds from the
// first frame on, ascending; there is at least one. `duration` is the end of the last frame, in
// seconds.
//   evenly   the frames nearest to 0, d/n, 2d/n … for n = num_images and the duration d, as
//            pictures of a folder are selected. If several of these times have the same nearest
//            frame, its neighbours are taken for the others, so that there are n frames unless the
//            video has fewer.
//   fps      the frames nearest to 0, 1/fps, 2/fps … below the duration
//   every    the frames 0, every, 2 · every …
// Of two frames that are equally near, the earlier is taken. Throws Error naming `name` if a member
// of `choice` is out of range, or if, without `num_images`, more than kMostUncountedFrames would be
// taken.
std::vector<size_t> ChooseFrames(std::span<const double> times, double duration,
                                 const VideoChoice& choice, const std::string& name);

}  // namespace vggt
