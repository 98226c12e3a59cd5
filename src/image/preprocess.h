// SPDX-License-Identifier: Apache-2.0
// VGGT's preprocessing ("crop" mode of its load_and_preprocess_images): the width becomes `target`,
// the height keeps the aspect ratio, rounded to whole patches; what is taller than `target` is
// cropped about the centre; frames of unlike height are padded with white, about the centre.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "image/picture.h"

namespace vggt {

struct PreprocessOptions {
  int target = 518;  // pixels: a multiple of `patch`, of at most kMostPatches patches
  int patch = 14;    // pixels
};
inline constexpr int kMostPatches = 300;

// Where the pixels of one frame come from: original → resized → cropped → padded = model.
struct FrameTransform {
  int original_width = 0, original_height = 0;
  int resized_width = 0, resized_height = 0;
  int crop_top = 0, crop_height = 0;  // the resized rows that are kept; every column is
  int pad_top = 0, pad_left = 0;      // white before the first kept row and column
  int model_width = 0, model_height = 0;
};

// Continuous coordinates in pixels from the upper left corner: the pixel in column j, row i covers
// [j, j + 1) x [i, i + 1) and has its centre at (j + 0.5, i + 0.5).
struct Point {
  double x = 0, y = 0;
};

// A point of the original may fall outside the model's frame: it was cropped.
Point ModelFromOriginal(const FrameTransform& transform, Point original);
// A point of the model's frame may fall outside the original: it is padding.
Point OriginalFromModel(const FrameTransform& transform, Point model);
// Whether a point of the model's frame shows the original, not padding.
bool ShowsOriginal(const FrameTransform& transform, Point model);

// The transform of a picture alone, not padded yet. Throws Error for bad options, or, naming
// `name`, if the picture is too wide or too tall for a single patch or a possible height.
FrameTransform PlanFrame(int width, int height, const PreprocessOptions& options,
                         const std::string& name);

struct PreprocessedFrames {
  int frames = 0, height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [frames, height, width, 3]; the model divides by 255
  std::vector<FrameTransform> transforms;
};

// The frames of `paths`, in order. Equals the Python original with Pillow (docs/exactness.md). At
// most four originals are in memory at a time. Throws Error naming the picture, or if there is
// none.
PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options);

}  // namespace vggt
