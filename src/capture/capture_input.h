// SPDX-License-Identifier: Apache-2.0
// The pictures of a job: chosen, read as the model sees them, and kept for the export.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "capture/capture_options.h"
#include "capture/progress.h"
#include "capture/video_input.h"
#include "core/parallel.h"
#include "core/picture_rule.h"
#include "image/preprocess.h"
#include "store/common/frame_list.h"

namespace vggt {

// What the model is given, and how the export keeps it.
struct CapturedPictures {
  PreprocessedFrames frames;       // the query frame first
  std::vector<std::string> names;  // of the copies, as seen from attn_maps/
  std::vector<PictureSource> sources;
};

// What a model wants of pictures.
struct ModelPictures {
  PictureRule rule = PictureRule::kVggtCrop;  // of its family, where options name none
  int patch = 14;                             // pixels
};

class CaptureInput {
 public:
  // Chooses the pictures or frames of options.input, and notes what the user should know. Throws
  // Error if there are none, or no options.first_image_idx among them. `options` and `progress`
  // must outlive this; `stop_check` is called now and then and may throw to stop.
  CaptureInput(const CaptureOptions& options, CaptureProgress& progress, StopCheck stop_check = {});

  // Reads them and writes the copies below `folder`, a picture at a time for each thread. Frames of
  // a video are kept without loss as they are decoded. Throws Error naming the picture, and
  // OptionError if options.image_size does not fit the model's patches.
  CapturedPictures Read(const std::filesystem::path& folder, const ModelPictures& model = {});

  // The files and folders that are read.
  const std::vector<std::filesystem::path>& places() const { return places_; }
  // How many pictures or frames there were to choose from.
  int64_t available() const { return available_; }
  // "12 frames of clip.mp4 (0.00 to 11.52 s of 11.90 s)" after Read; empty for pictures.
  std::string video_summary() const { return video_ ? video_->summary() : ""; }

 private:
  void SelectFrom(const PictureFolder& folder);
  void Take(const PictureList& pictures);
  CapturedPictures ReadPictures(const std::filesystem::path& folder,
                                const PreprocessOptions& preprocess) const;
  CapturedPictures ReadFrames(const std::filesystem::path& folder,
                              const PreprocessOptions& preprocess);

  const CaptureOptions& options_;
  CaptureProgress& progress_;
  const StopCheck stop_check_;
  std::vector<std::filesystem::path> places_;
  int64_t available_ = 0;
  std::vector<std::filesystem::path> pictures_;  // chosen
  std::optional<VideoInput> video_;              // instead
};

}  // namespace vggt
