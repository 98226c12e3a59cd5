// SPDX-License-Identifier: Apache-2.0
// What a frame shows, of the picture that it was made from.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/frame_transform.h"
#include "image/picture.h"

namespace vggt {

// Fills `rgb` [model_height, model_width, 3]: for each pixel of the frame, that of the picture
// under its centre, white where there is padding. It is meant for colours: the model sees a picture
// that was resized smoothly (image/preprocess.h). Throws Error naming `source` if the picture has
// another size than the transform says.
void FillFramePixels(const Picture& picture, const FrameTransform& transform,
                     const std::string& source, std::span<uint8_t> rgb);

}  // namespace vggt
