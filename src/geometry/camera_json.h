// SPDX-License-Identifier: Apache-2.0
// Cameras in JSON (docs/formats.md). Private: only sources include it.
#pragma once

#include <string>

#include "formats/json.h"
#include "geometry/camera.h"

namespace vggt {

// "K", whose pixel centres are at whole numbers, "R" and "t", and, of a lens that distorts,
// "distortion" (k1, k2, p1, p2).
void AddCamera(const Camera& camera, OrderedJson& json);
// `shared` may have the keys "K" and "distortion" in place of `json`. Throws Error naming `source`
// if a key is missing or malformed, and like CheckCamera.
Camera ParseCamera(const Json& json, const Json& shared, const std::string& source);

}  // namespace vggt
