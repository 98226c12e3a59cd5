// SPDX-License-Identifier: Apache-2.0
// Cameras, and depth where there is any, of whatever kind of file or folder.
#pragma once

#include <filesystem>
#include <optional>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// The folder in `folder` that holds a model of COLMAP: itself, its sparse/0, sparse or 0.
std::optional<std::filesystem::path> ColmapFolder(const std::filesystem::path& folder);

// Of an export's geometry/ or its cameras.json (geometry_folder.h), another file of cameras and
// depth, also as cameras.json in a folder (geometry_file.h), a model of COLMAP, whose cameras have
// no depth (colmap_model.h), or a scan (scan_folder.h). Throws Error as their readers do, if `path`
// is none of these, and if the export does not say how its pictures became frames.
SceneGeometry ReadGivenGeometry(const std::filesystem::path& path, const FrameList& frames);

}  // namespace vggt
