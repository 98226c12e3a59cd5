// SPDX-License-Identifier: Apache-2.0
// VGGT's preprocessing ("crop" mode of its load_and_preprocess_images). A picture is resized to the
// width `target`; its height keeps the aspect ratio, rounded to whole patches. Pictures taller than
// `target` are cropped to the rows in the middle. If the frames then have different heights, the
// lower ones are padded with white rows above and below.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"

namespace vggt {

struct PreprocessOptions {
  int target = 518;  // pixels: a multiple of `patch`, at most kMostPatches patches
  int patch = 14;    // pixels
  // Whether pictures are turned by their EXIF orientation. VGGT itself does not do that.
  bool exif_transpose = false;
};
inline constexpr int kMostPatches = 300;

// The transform of one picture, before padding. `width` and `height` are those in the file;
// `orientation` is the EXIF orientation by which the picture is turned first. Throws Error for
// options out of range. Throws Error naming `name` if the picture is so wide that no patch is left,
// or so tall that its height overflows.
FrameTransform PlanFrame(int width, int height, const PreprocessOptions& options,
                         const std::string& name, int orientation = 1);

// One picture, resized and cropped, before padding.
struct PreparedFrame {
  FrameTransform transform;
  Picture kept;
  int orientation = 1;  // the file's EXIF orientation, whether the picture was turned or not
};

// Prepares a picture that has no EXIF orientation. Throws Error like PlanFrame.
PreparedFrame PrepareFrame(const Picture& original, const PreprocessOptions& options,
                           const std::string& name);

struct PreprocessedFrames {
  int frames = 0, height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [frames, height, width, 3]; the model divides by 255
  std::vector<FrameTransform> transforms;
  std::vector<int> orientations;  // the files' EXIF orientations, whether turned or not
};

// Pads frames, which all have the same width, to one height. Throws Error if there are none.
PreprocessedFrames JoinFrames(const std::vector<PreparedFrame>& frames);

// The frames of `paths`, in this order. They equal those of VGGT's Python code with Pillow
// (docs/exactness.md). At most four originals are in memory at a time, each of them twice while it
// is turned. Throws Error naming the picture, or if there are no paths.
PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options);

}  // namespace vggt
