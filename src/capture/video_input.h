// SPDX-License-Identifier: Apache-2.0
// Frames of a video in place of pictures: the way from the file to what the model sees.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "capture/progress.h"
#include "core/mapped_file.h"
#include "core/parallel.h"
#include "image/preprocess.h"
#include "image/video.h"
#include "image/video_choice.h"
#include "store/common/frame_list.h"

namespace vggt {

// What is taken of one video.
class VideoInput {
 public:
  // Opens the video and chooses. Notes what the user should know. Throws Error as Video and
  // ChooseFrames do, or if frame `first` is none of those chosen. `progress` must outlive this;
  // `stop_check` is called now and then, here and in Read, and may throw to stop.
  VideoInput(const std::filesystem::path& file, const VideoChoice& choice, int64_t first,
             CaptureProgress& progress, StopCheck stop_check = {});

  struct Frames {
    PreprocessedFrames frames;           // frame `first` of those taken at the front
    std::vector<PictureSource> sources;  // of each
    std::vector<size_t> order;           // of each: which it is in the order of time
  };

  // Decodes and prepares. `keep` gets each original picture with its number in the order of time;
  // it is called from several threads, with a few pictures at a time. Throws Error, also if the
  // file was changed meanwhile.
  Frames Read(const PreprocessOptions& options,
              const std::function<void(size_t, const Picture&)>& keep);

  const std::filesystem::path& file() const { return file_; }
  size_t frames_in_video() const { return video_.times().size(); }
  // "12 frames of clip.mp4 (0.00 to 11.52 s of 11.90 s)", of what was read.
  const std::string& summary() const { return summary_; }

 private:
  void PassOnNotes();

  std::filesystem::path file_;
  CaptureProgress& progress_;
  const StopCheck stop_check_;
  Video video_;
  MappedFile watched_;  // whether the file stays as it is; nothing is read through it
  std::vector<size_t> chosen_;
  int64_t first_;
  size_t notes_passed_on_ = 0;
  std::string summary_;
};

}  // namespace vggt
