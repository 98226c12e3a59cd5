// SPDX-License-Identifier: Apache-2.0
// Cameras and points as a model of COLMAP in text (https://colmap.github.io/format.html).
#pragma once

#include <filesystem>
#include <span>

#include "core/file.h"
#include "geometry/point_cloud.h"
#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// Writes cameras.txt, images.txt and points3D.txt into `folder`, which is made: a camera for each
// frame that has one, of its picture as it is stored (PINHOLE, or OPENCV if the lens distorts), and
// points that are seen where their pixels' centres lie in the picture, each in its own picture
// alone. Views are those of frames (AtFrame), whose pictures no transform mirrors. Images are
// called as the export's copies of the pictures are, blanks replaced by "_". Throws Error.
void WriteColmapText(const std::filesystem::path& folder, const SceneGeometry& scene,
                     const FrameList& frames, std::span<const CloudPoint> points,
                     AtomicOptions options = {});

}  // namespace vggt
