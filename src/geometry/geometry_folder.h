// SPDX-License-Identifier: Apache-2.0
// The geometry/ of an export: cameras, depth and points of its frames as files (docs/formats.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// Which points of the frames' pixels points.ply, scene.glb and the model of COLMAP hold.
struct GeometryPoints {
  double percentile = 50;           // of all confidences; points below it are left out
  int64_t most_points = 2'000'000;  // of points.ply and scene.glb; if there are more, some of
                                    // them, chosen evenly
  int64_t most_colmap_points = 100'000;
};

struct GeometrySummary {
  int64_t cameras = 0, depth_maps = 0, points = 0;
  std::vector<std::string> notes;  // which frames have no camera, and why, in sentences
};

// Writes the files into `folder`, which is made. `scene` has a view, or none, for each of `frames`,
// which have transforms; a view concerns the picture as it is stored or the frame itself. `rgb`
// [frames, height, width, 3] is what the model sees, as PreprocessedFrames has it. Cameras that are
// none (of values that are no numbers, of mirrored pictures) are left out and noted. Each file
// appears whole; data are not synced (core/file.h). Besides `scene`, 4 bytes are in memory for each
// depth and about 80 for each point. Throws Error.
GeometrySummary WriteGeometryFolder(const std::filesystem::path& folder, SceneGeometry scene,
                                    const FrameList& frames, std::span<const uint8_t> rgb,
                                    const GeometryPoints& points = {});

// Whether `folder` has the cameras.json that WriteGeometryFolder writes.
bool HoldsGeometryFolder(const std::filesystem::path& folder);

// Reads cameras, depth and confidence back: views of the frames themselves. Pictures are found by
// their names (picture_names.h). Throws Error naming the file if one is missing or damaged, has
// values out of range, or lies outside of `folder`, and if its pictures are not those of the
// export, by name, size or the size of frames.
SceneGeometry ReadGeometryFolder(const std::filesystem::path& folder, const FrameList& frames);

}  // namespace vggt
