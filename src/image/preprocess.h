// SPDX-License-Identifier: Apache-2.0
// VGGT's preprocessing ("crop" mode of its load_and_preprocess_images): the width becomes `target`,
// the height keeps the aspect ratio, rounded to whole patches; what is taller than `target` is
// cropped about the centre; frames of unlike height are padded with white, about the centre.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"

namespace vggt {

struct PreprocessOptions {
  int target = 518;  // pixels: a multiple of `patch`, of at most kMostPatches patches
  int patch = 14;    // pixels
  // Whether pictures are turned as their EXIF orientation says, which VGGT itself does not do.
  bool exif_transpose = false;
};
inline constexpr int kMostPatches = 300;

// The transform of a picture alone, not padded yet; its width and height are those of the file,
// which is turned by an EXIF orientation first. Throws Error for bad options, or, naming
// `name`, if the picture is too wide or too tall for a single patch or a possible height.
FrameTransform PlanFrame(int width, int height, const PreprocessOptions& options,
                         const std::string& name, int orientation = 1);

// A picture by itself: resized and cropped, not padded yet.
struct PreparedFrame {
  FrameTransform transform;
  Picture kept;
  int orientation = 1;  // as the file's EXIF says, whether it was turned or not
};

// Prepares a picture that carries no orientation. Throws Error like PlanFrame.
PreparedFrame PrepareFrame(const Picture& original, const PreprocessOptions& options,
                           const std::string& name);

struct PreprocessedFrames {
  int frames = 0, height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [frames, height, width, 3]; the model divides by 255
  std::vector<FrameTransform> transforms;
  std::vector<int> orientations;  // as the files' EXIF says, whether they were turned or not
};

// Frames of one width, padded to one height. Throws Error if there is none.
PreprocessedFrames JoinFrames(const std::vector<PreparedFrame>& frames);

// The frames of `paths`, in order. Equals the Python original with Pillow (docs/exactness.md). At
// most four originals are in memory at a time, twice each while they are turned. Throws Error
// naming the picture, or if there is none.
PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options);

}  // namespace vggt
