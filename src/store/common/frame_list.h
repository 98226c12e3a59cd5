// SPDX-License-Identifier: Apache-2.0
// The frames that an export is of: what stored maps and stored queries and keys say alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "core/token_grid.h"

namespace vggt {

// Bounds on what is read, far beyond any that exists.
inline constexpr int64_t kMostLayers = 1000;
inline constexpr int64_t kMostHeads = 1024;
inline constexpr size_t kMostFileName = 1000;  // characters

struct ImageSize {
  int64_t width = 0, height = 0;  // of the original picture, in pixels
};

// The file that a frame was taken from.
struct PictureSource {
  std::string file;               // its name without folder, printable
  std::optional<double> seconds;  // of a video's frame: from the video's first frame on
};

// "IMG_0412.HEIC", "kitchen.mp4 at 12.48 s".
std::string SourceText(const PictureSource& source);

struct FrameList {
  int64_t frames = 0;
  int64_t H_p = 0, W_p = 0;  // grid rows and columns: patches of each frame
  // One for each frame. `image_paths` are those of the copied pictures, relative to the folder of
  // the JSON that names them. The other lists may be empty in what other programs wrote.
  std::vector<std::string> image_paths;
  std::vector<ImageSize> image_sizes;
  std::vector<FrameTransform> transforms;
  std::vector<PictureSource> sources;

  // The tokens of these frames, if each frame has so many special tokens.
  TokenGrid token_grid(int64_t special_tokens) const { return {frames, special_tokens, H_p, W_p}; }
};

}  // namespace vggt
