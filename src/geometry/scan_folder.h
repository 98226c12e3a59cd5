// SPDX-License-Identifier: Apache-2.0
// Folders of scans as ScanNet's are unpacked (https://github.com/ScanNet/ScanNet).
#pragma once

#include <filesystem>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// Whether `folder` has a folder pose/.
bool HoldsScan(const std::filesystem::path& folder);

// For a picture called 120.jpg: pose/120.txt (4 × 4, world from camera; OpenCV's axes, metres) and,
// if it is there, depth/120.png (16-bit, millimetres), which covers the picture evenly. All
// pictures have the intrinsics (3 × 3 or 4 × 4, of pixels whose centres are whole numbers) of the
// first of intrinsic/intrinsic_color.txt, intrinsic_color.txt, intrinsics.txt and intrinsic.txt
// that is there. Frames without a pose, or with one that is no finite number, as ScanNet marks
// those that were lost, have no view. Throws Error naming the file if one is damaged, if the
// intrinsics are missing or of other pictures, and if no frame has a pose. `frames` has transforms.
SceneGeometry ReadScan(const std::filesystem::path& folder, const FrameList& frames);

}  // namespace vggt
