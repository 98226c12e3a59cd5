// SPDX-License-Identifier: Apache-2.0
// Cameras and depth in this project's own format (docs/formats.md), as examples/demo has them.
#pragma once

#include <filesystem>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// Reads a JSON of cameras and, below its folder, the depth maps that it names. Its pictures are
// found among the frames by their names; those that are no frames are left out, and frames that it
// does not tell of have no view. Throws Error naming the file if something is missing, of another
// type, out of range or damaged, and if its pictures are not those of the export, by name or size.
// A depth map outside the folder is OutsideRoot. `frames` has transforms.
SceneGeometry ReadGeometryFile(const std::filesystem::path& file, const FrameList& frames);

// The depths of a 16-bit grey PNG in millimetres, 0 where there is none, in metres. Throws Error
// naming the file if it is damaged, larger than 256 MB, or lies outside of `root`.
DepthMap ReadDepthPng(const std::filesystem::path& file, const std::filesystem::path& root);

}  // namespace vggt
