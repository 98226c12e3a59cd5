// SPDX-License-Identifier: Apache-2.0
// Frames of a video in place of pictures: the flags of 'export' and 'preprocess', and the way from
// the file to what the model sees.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "core/mapped_file.h"
#include "image/preprocess.h"
#include "image/video.h"
#include "image/video_choice.h"
#include "store/common/schema.h"

namespace vggt {

// As on the command line.
struct VideoFlags {
  std::string video;          // empty: none
  std::string fps;            // empty: not given
  int64_t every = 0;          // 0: not given
  bool number_given = false;  // --num_images
};

// Declares --video, --fps and --every.
void DeclareVideoFlags(CLI::App& app, VideoFlags& flags);

// What the flags wish of a video. `number` is what --num_images says.
VideoChoice ChoiceOf(const VideoFlags& flags, int64_t number);

// Throws WrongUsage if there is a flag that only a video takes. For a run without a video.
void RefuseVideoFlags(const VideoFlags& flags);

// Whether `path`, given in the place of pictures, is to be read as a video: by its name, unless it
// is a folder.
bool IsVideoFile(const std::filesystem::path& path);

// What is taken of one video.
class VideoInput {
 public:
  // Opens the video and chooses. Notes on the display what the user should know. Throws Error as
  // Video and ChooseFrames do, or if frame `first` is none of those chosen.
  VideoInput(const std::filesystem::path& file, const VideoChoice& choice, int64_t first,
             ProgressDisplay& display);

  struct Frames {
    PreprocessedFrames frames;           // frame `first` of those taken at the front
    std::vector<PictureSource> sources;  // of each
    std::vector<size_t> order;           // of each: which it is in the order of time
  };

  // Decodes, prepares and shows progress. `keep` gets each original picture with its number in the
  // order of time; it is called from several threads, with a few at a time. Throws Error, also if
  // the file was changed meanwhile, or Interrupted if the user wants to stop.
  Frames Read(const PreprocessOptions& options, ProgressDisplay& display,
              const std::function<void(size_t, const Picture&)>& keep);

  const std::filesystem::path& file() const { return file_; }
  size_t frames_in_video() const { return video_.times().size(); }
  // "12 frames of clip.mp4 (0.00 to 11.52 s of 11.90 s)", of what was read.
  const std::string& summary() const { return summary_; }

 private:
  std::filesystem::path file_;
  Video video_;
  MappedFile watched_;  // whether the file stays as it is; nothing is read through it
  std::vector<size_t> chosen_;
  int64_t first_;
  size_t notes_shown_ = 0;
  std::string summary_;

  void ShowNotes(ProgressDisplay& display);
};

}  // namespace vggt
