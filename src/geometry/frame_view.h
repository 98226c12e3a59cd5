// SPDX-License-Identifier: Apache-2.0
// What is known of a picture as what is known of the frame that was made from it, and back.
#pragma once

#include <optional>
#include <vector>

#include "core/frame_transform.h"
#include "geometry/camera.h"
#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// The transform of a frame of width × height pixels that is its own picture.
FrameTransform FrameItself(int width, int height);
// Whether `view` concerns the frame itself.
bool ConcernsFrame(const FrameView& view);

// The camera that sees the frame as `camera` sees the picture, and the other way round. None if the
// transform mirrors the picture (EXIF orientations 2, 4, 5 and 7), which no camera does.
std::optional<Camera> FrameCamera(const Camera& camera, const FrameTransform& transform);
std::optional<Camera> PictureCamera(const Camera& camera, const FrameTransform& transform);

// The cameras that see the frames; none where no camera is known or FrameCamera gives none.
// `frames` has transforms.
std::vector<std::optional<Camera>> FrameCameras(const SceneGeometry& scene,
                                                const FrameList& frames);

// A view of the frame itself, whose depth, if there is any, has a sample for each pixel of it: what
// `view` has at the pixel's centre. 0, also in confidence, where depth is not known or no positive
// finite number, and where the frame shows padding. `transform` is that of the frame, whatever
// `view` concerns. None if there is no camera that CheckCamera takes.
std::optional<FrameView> AtFrame(const FrameView& view, const FrameTransform& transform);

}  // namespace vggt
