// SPDX-License-Identifier: Apache-2.0
// What prediction heads make of a forward pass: cameras, depth and points of all pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "capture/head_taps.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "geometry/scene_geometry.h"
#include "model/heads_plan.h"
#include "ops/precision.h"
#include "weights/checkpoint.h"

namespace vggt {

// Of frames of width × height pixels. What no head predicted is empty.
struct ScenePrediction {
  int64_t frames = 0, width = 0, height = 0;
  std::vector<std::vector<float>> poses;  // after each iteration [frames, 9] (pose_encoding.h)
  FloatBuffer depth, depth_confidence;    // [frames, height, width]
  FloatBuffer points, point_confidence;   // [frames, height, width, 3] and as above

  int64_t cameras() const;  // poses that are cameras
};

// Which heads run, and on what.
struct PredictionInput {
  const Checkpoint& checkpoint;
  const HeadsPlan& heads;
  TokenGrid grid;
  int64_t patch_size = 0;
  Precision precision = Precision::kF32;
  // Whose camera tokens are read. Taps of later layers are replaced by those of this one: what the
  // heads see if the model ends there. The model's last is what they were trained on.
  int64_t last_layer = 0;
};

// Loads one head after the other and runs it. `progress` is called with the share done, in (0, 1],
// and may throw to stop, as `stop_check` may.
ScenePrediction PredictScene(const PredictionInput& input, HeadTaps& taps,
                             const std::function<void(double share)>& progress,
                             const StopCheck& stop_check);

// The most bytes that PredictScene needs at a time, with its result.
double PredictionMemoryBytes(const HeadsPlan& heads, const TokenGrid& grid, int64_t patch_size,
                             Precision precision);
// Multiplications and additions in its products.
double PredictionFlops(const HeadsPlan& heads, const TokenGrid& grid, int64_t patch_size);

// A line for each frame that has no camera, and for each prediction that holds values that are
// infinite or no numbers: "frame 2 has no camera: its field of view is 0".
std::vector<std::string> PredictionNotes(const ScenePrediction& prediction);

// Cameras and depth of the frames themselves. No view of a frame without camera, or if none were
// predicted. `model`: "VGGT-1B".
SceneGeometry SceneOf(const ScenePrediction& prediction, const std::string& model);

// An .npz of all that was predicted, by its names in the original: pose_enc, pose_enc_list,
// extrinsic, intrinsic (of the frame's pixels, whose centres lie at whole numbers), depth,
// depth_conf, world_points and world_points_conf (geometry/prediction_file.h reads it).
void WritePrediction(const std::filesystem::path& path, const ScenePrediction& prediction);

}  // namespace vggt
