// SPDX-License-Identifier: Apache-2.0
// Points and cameras as glTF 2.0, binary
// (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).
#pragma once

#include <filesystem>
#include <span>

#include "core/file.h"
#include "geometry/point_cloud.h"
#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// Writes a scene of one mesh of points, if there are any, and for each frame that has a camera a
// node "frame 0 · IMG.jpg" at its place, with a perspective camera and its frustum in lines, a
// tenth as deep as the points' median distance. The first of these cameras looks along -z, with y
// up, as glTF has it. Colours are linear, materials unlit. Views are those of frames (AtFrame).
// Throws Error.
void WriteSceneGlb(const std::filesystem::path& path, const SceneGeometry& scene,
                   const FrameList& frames, std::span<const CloudPoint> points,
                   AtomicOptions options = {});

}  // namespace vggt
