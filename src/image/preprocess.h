// SPDX-License-Identifier: Apache-2.0
// Makes frames of pictures by the rule of a family of models (picture_rules.h), resized as that
// family does it: by Pillow's bicubic, for Pi3 by its Lanczos, for DA3 by OpenCV's area where no
// side grows and else by its cubic. Pi3 and DA3 drop alpha, the others lay pictures over white.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "image/picture.h"
#include "image/picture_rules.h"

namespace vggt {

// One picture, resized and cropped as its transform says, before all are joined.
struct PreparedFrame {
  FrameTransform transform;
  Picture kept;
  int orientation = 1;  // the file's EXIF orientation, whether the picture was turned or not
};

// Prepares a picture that has no EXIF orientation. `first` as for PlanFrame. Throws Error like it.
PreparedFrame PrepareFrame(const Picture& original, const PreprocessOptions& options,
                           const std::string& name, const FrameTransform* first = nullptr);

struct PreprocessedFrames {
  int frames = 0, height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [frames, height, width, 3]; the model divides by 255
  std::vector<FrameTransform> transforms;
  std::vector<int> orientations;  // the files' EXIF orientations, whether turned or not
};

// Gives frames one size, by padding or cropping. Throws Error if there are none.
PreprocessedFrames JoinFrames(const std::vector<PreparedFrame>& frames, PictureRule rule);

// The frames of `paths`, in this order. They equal those of the families' Python code
// (docs/exactness.md). At most four originals are in memory at a time, each of them twice while it
// is turned. Throws Error naming the picture, or if there are no paths.
PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options);

}  // namespace vggt
