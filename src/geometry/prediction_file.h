// SPDX-License-Identifier: Apache-2.0
// What prediction heads made of one pass, as files of an export's geometry/ (docs/formats.md): of
// the model's last layer, and of others as if the model ended there (the layer lens).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

inline constexpr const char* kPredictionName = "predictions.npz";
// Of what the heads make of the tokens after a layer, from 0: "lens_layer_01.npz".
std::string LensName(int64_t layer);

// The layers, from 0 and ascending, of which `folder` has such a file.
std::vector<int64_t> LensLayers(const std::filesystem::path& folder);

// Reads cameras, depth and confidence of the file `name` in `folder`: views of the frames
// themselves, which have transforms. No view where a pose is no camera (pose_encoding.h); depth is
// 0 in padding and where it is no finite number. Throws Error naming the file if it is missing,
// damaged, lies outside of `folder`, or is not of that many frames of that size.
SceneGeometry ReadPrediction(const std::filesystem::path& folder, const std::string& name,
                             const FrameList& frames);

}  // namespace vggt
