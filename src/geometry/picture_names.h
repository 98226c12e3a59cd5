// SPDX-License-Identifier: Apache-2.0
// Which frame of an export a picture is that another file speaks of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/common/frame_list.h"

namespace vggt {

// For each name the frame that was made from that picture, from 0; none if it is no picture of the
// export. Only what follows the last slash counts. Names are those of the files that the frames
// were taken from; if none of them fits, those of the export's copies ("frame_00.png"), which
// frames of a video have alone. Throws Error naming `source` if no name fits, or if two fit one
// frame.
std::vector<std::optional<int64_t>> FramesOf(const std::vector<std::string>& names,
                                             const FrameList& frames, const std::string& source);

// Throws Error naming `source` unless a picture of width × height pixels is frame `frame` as it is
// stored in its file. `frames` has transforms.
void CheckPictureIs(const FrameList& frames, int64_t frame, int64_t width, int64_t height,
                    const std::string& source);

}  // namespace vggt
