// SPDX-License-Identifier: Apache-2.0
// Frames of a video, through FFmpeg's libraries where the program was built with them.
//
// A file is foreign: only the containers and codecs of kVideoContainers and kVideoCodecs
// (video.cc) are tried, nothing but the file itself is ever opened (no playlists, no references, no
// network), and what it claims is bounded. Cover pictures are no video; of several videos in a file
// the one marked as the default is read, among equals the largest, the first.
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

// What names of videos end in, lower case, without dot; the same in a build that reads none.
std::span<const std::string_view> VideoExtensions();

// Whether the name ends in one of these, upper or lower case.
bool HasVideoExtension(const std::filesystem::path& path);

// A video of more frames than this is refused: a day at 60 a second.
inline constexpr size_t kMostFramesInVideo = 5'200'000;

struct VideoFrame {
  double seconds = 0;  // from the first frame on
  Picture picture;     // upright, square pixels, 8-bit RGB: video_picture.h
};

class Video {
 public:
  // Called now and then with the share of the work that is done. May throw, which ends it.
  using Progress = std::function<void(double share)>;

  // Goes through the file once to find out which frames there are, and decodes the first. Throws
  // Error naming `path` if it is no regular file, no video that is read, damaged or cut so that no
  // frame is left, or of more than kMostFramesInVideo frames; always in a build without libraries.
  explicit Video(const std::filesystem::path& path, const Progress& progress = {});
  ~Video();
  Video(Video&&) noexcept;
  Video& operator=(Video&&) noexcept;

  // When each frame is shown, in seconds from the first (which is 0), strictly ascending: the
  // presentation times in the stream itself, whatever frame rate the file claims.
  const std::vector<double>& times() const;
  // The end of the last frame, in seconds.
  double duration() const;

  // Decodes the frames with these indices into times(), ascending, each once, and hands over one at
  // a time. A frame that cannot be decoded is replaced by the next that can be, unless that is
  // wanted itself; then it is left out. Throws Error if none is left, or whatever `take` throws.
  void Read(std::span<const size_t> frames, const std::function<void(VideoFrame)>& take,
            const Progress& progress = {});

  // What should be known of the video and of what was read, each a sentence without full stop:
  // "the video ends early: …".
  const std::vector<std::string>& notes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vggt
