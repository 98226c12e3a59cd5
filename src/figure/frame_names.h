// SPDX-License-Identifier: Apache-2.0
// What figures call frames: their number, and the file they were taken from where the export tells.
// Lengths are letters: code points.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "store/common/frame_list.h"

namespace vggt {

// "IMG_0412.jpg"; of a video's frame "clip.mp4 12.48 s"; "" if the file is not known.
std::string SourceName(const PictureSource& source);

// Short names of all frames of an export, which stay distinct as far as there is room: whole if all
// of them fit `most` letters; else what they begin and end with in common is "…"; and what still
// does not fit loses its middle. Times are never cut, and stand alone for frames of one video. ""
// of a frame whose file is not known.
std::vector<std::string> ShortNames(const std::vector<PictureSource>& sources, size_t most);

// "frame 3 · IMG_0412.jpg", or "frame 3" alone.
std::string FrameTitle(const FrameList& frames, int frame);
// The same with the frame's short name.
std::string FrameLabel(const FrameList& frames, int frame, size_t most);
// Of a frame that is named alone: with its whole name where that fits.
std::string FrameLabelAlone(const FrameList& frames, int frame, size_t most);

// A name that is written from right to left leaves the order of what stands around it as it is.
std::string InLine(const std::string& name);

}  // namespace vggt
