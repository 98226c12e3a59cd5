// SPDX-License-Identifier: Apache-2.0
// Reads frames of a video, through FFmpeg's libraries if the program was built with them.
//
// Files are not trusted: only the containers and codecs of kVideoContainers and kVideoCodecs
// (video_stream.cc) are tried, no other file is ever opened (no playlists, no references, no
// network), and sizes and counts are limited. Cover pictures do not count as videos. If a file has
// several videos, the one marked as the default is read; among equals the largest, then the first.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/picture.h"

namespace vggt {

// Whether this build reads videos at all.
bool ReadsVideo();

// The extensions of videos, in lower case and without dot; the same in a build that reads none.
std::span<const std::string_view> VideoExtensions();

// Whether the name ends in one of these, in upper or lower case.
bool HasVideoExtension(const std::filesystem::path& path);

// A video with more frames than this (a day at 60 a second) is refused.
inline constexpr size_t kMostFramesInVideo = 5'200'000;

struct VideoFrame {
  double seconds = 0;  // from the first frame on
  Picture picture;     // upright, square pixels, 8-bit RGB: video_picture.h
};

class Video {
 public:
  // Called from time to time with the share of the work that is done, 0 … 1. May throw: the
  // exception ends the work.
  using Progress = std::function<void(double share)>;

  // Reads the whole file once to list its frames, and decodes the first one. Throws Error naming
  // `path` if it is not a regular file, is not a video of a known kind, has no frame that can be
  // decoded, or has more than kMostFramesInVideo frames. Always throws Error in a build without
  // FFmpeg.
  explicit Video(const std::filesystem::path& path, const Progress& progress = {});
  ~Video();
  Video(Video&&) noexcept;
  Video& operator=(Video&&) noexcept;

  // The time at which each frame is shown, in seconds from the first (which is 0), strictly
  // ascending. These are the presentation times in the stream, not multiples of the file's nominal
  // frame rate.
  const std::vector<double>& times() const;
  // The end of the last frame, in seconds.
  double duration() const;

  // Decodes the frames with these indices into times(), which are strictly ascending, and passes
  // them to `take` one at a time. A frame that cannot be decoded is replaced by the next one that
  // can be; if that is in `frames` itself, the frame is left out. Throws Error if no frame is left,
  // and whatever `take` throws.
  void Read(std::span<const size_t> frames, const std::function<void(VideoFrame)>& take,
            const Progress& progress = {});

  // What the user should know about the video and the frames read, each a sentence without full
  // stop: "the video ends early: …".
  const std::vector<std::string>& notes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vggt
