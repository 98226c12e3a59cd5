// SPDX-License-Identifier: Apache-2.0
// Frame lists in JSON (docs/formats.md). Private: only sources include it.
#pragma once

#include <string>

#include "formats/json.h"
#include "store/common/frame_list.h"

namespace vggt {

OrderedJson ToJson(const FrameTransform& transform);
OrderedJson ToJson(const PictureSource& source);

// Adds "image_paths" and "image_sizes".
void AddImages(const FrameList& list, OrderedJson& json);
// Adds "transforms" and "sources", each unless it is empty.
void AddOrigins(const FrameList& list, OrderedJson& json);

// Reads these four keys into `list`, whose `frames` is known. All but the paths may be missing.
// Throws Error naming `source` and the key if something is of another type or out of range, and if
// there are not as many as frames.
void ParseImages(const Json& json, const std::string& source, FrameList& list);

}  // namespace vggt
