// SPDX-License-Identifier: Apache-2.0
// The flags of 'export' and 'preprocess' that take frames of a video in place of pictures.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "image/video_choice.h"

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

}  // namespace vggt
