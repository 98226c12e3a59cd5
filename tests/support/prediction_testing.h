// SPDX-License-Identifier: Apache-2.0
// Files of what prediction heads made of frames.
#pragma once

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/npy.h"
#include "formats/zip_writer.h"
#include "store/common/frame_list.h"

namespace vggt::testing {

struct NamedFloats {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

// An .npz of float32.
inline void WriteFloats(const std::filesystem::path& path, const std::vector<NamedFloats>& arrays) {
  std::vector<std::string> headers;
  for (const NamedFloats& array : arrays) headers.push_back(NpyHeader("<f4", array.shape));
  std::vector<ZipInput> entries;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const Bytes values{reinterpret_cast<const uint8_t*>(arrays[i].values.data()),
                       arrays[i].values.size() * sizeof(float)};
    entries.push_back({arrays[i].name + ".npy", {BytesOf(headers[i]), values}});
  }
  WriteZip(path, entries, false, {.existing = Existing::kReplace});
}

// A wall before cameras 0.3 · `scale` apart, each turned by `turn` more than the one before; it is
// 2 · `scale` away at the left edge of all pictures, and (2 + `bend`) · `scale` at the right one.
inline void WritePredictedWall(const std::filesystem::path& path, const FrameList& frames,
                               double turn, double scale, double bend) {
  const int width = frames.transforms[0].model_width, height = frames.transforms[0].model_height;
  std::vector<float> poses, depth, confidence;
  for (int64_t i = 0; i < frames.frames; ++i) {
    const double half = turn * static_cast<double>(i) / 2;
    for (const double value : {-0.3 * scale * static_cast<double>(i), 0.0, 0.0, 0.0, std::sin(half),
                               0.0, std::cos(half), 1.0, 1.0}) {
      poses.push_back(static_cast<float>(value));
    }
    for (int p = 0; p < width * height; ++p) {
      depth.push_back(static_cast<float>(scale * (2 + bend * (p % width) / width)));
      confidence.push_back(static_cast<float>(1 + p));
    }
  }
  WriteFloats(path, {{"pose_enc", {frames.frames, 9}, poses},
                     {"depth", {frames.frames, height, width}, depth},
                     {"depth_conf", {frames.frames, height, width}, confidence}});
}

}  // namespace vggt::testing
