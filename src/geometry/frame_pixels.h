// SPDX-License-Identifier: Apache-2.0
// What a frame shows, of the picture that it was made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "core/parallel.h"
#include "image/picture.h"
#include "store/common/frame_list.h"

namespace vggt {

// Fills `rgb` [model_height, model_width, 3]: for each pixel of the frame, that of the picture
// under its centre, white where there is padding. It is meant for colours: the model sees a picture
// that was resized smoothly (image/preprocess.h). Throws Error naming `source` if the picture has
// another size than the transform says.
void FillFramePixels(const Picture& picture, const FrameTransform& transform,
                     const std::string& source, std::span<uint8_t> rgb);

// Throws Error naming `source` unless all of the frames, which have transforms, have one size.
void CheckEqualSizes(const FrameList& frames, const std::string& source);

// [frames, height, width, 3]: what frames of one size show, of the pictures' files. Throws Error as
// above, and like ReadPicture (image/codec.h) and `picture_of`.
std::vector<uint8_t> ReadFramePixels(
    const FrameList& frames, const std::function<std::filesystem::path(size_t frame)>& picture_of,
    const StopCheck& stop_check = {});

}  // namespace vggt
