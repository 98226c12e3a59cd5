// SPDX-License-Identifier: Apache-2.0
// The prediction heads' part of a job: which run on which layers, and what they predict as files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "capture/capture_options.h"
#include "capture/head_taps.h"
#include "capture/progress.h"
#include "capture/scene_prediction.h"
#include "model/heads_plan.h"
#include "store/common/frame_list.h"

namespace vggt {

// Of the export's geometry/.
struct GeometryCounts {
  int64_t cameras = 0, depth_maps = 0, points = 0;
};

class GeometryCapture {
 public:
  // Nothing is loaded yet. The checkpoint must outlive it. Throws OptionError if the model has no
  // such layers, and Error naming the tensors if it lacks a head.
  GeometryCapture(PredictionOptions options, const Checkpoint& checkpoint, const ModelPlan& plan,
                  Precision precision);

  // Whose taps are read, from 0, ascending.
  const std::vector<int64_t>& layers() const { return layers_; }
  // Most at a time; of all products.
  double MemoryBytes(const TokenGrid& grid) const;
  double Flops(const TokenGrid& grid) const;

  // Reads all weights, to throw Error before anything is computed if a value is infinite or NaN.
  void CheckWeights(const StopCheck& stop_check) const;

  // After the pass. `frames` have transforms, `batch` are their pixels. Notes which frames have no
  // camera and which predictions are no numbers.
  GeometryCounts Run(const std::filesystem::path& folder, HeadTaps& taps, const FrameList& frames,
                     const FrameBatch& batch, CaptureProgress& progress,
                     const StopCheck& stop_check) const;

 private:
  ScenePrediction Predict(const HeadsPlan& heads, int64_t last_layer, const std::string& stage,
                          const TokenGrid& grid, HeadTaps& taps, CaptureProgress& progress,
                          const StopCheck& stop_check) const;

  const Checkpoint& checkpoint_;
  const std::string model_;  // "VGGT-1B"
  const int64_t depth_, patch_size_;
  const Precision precision_;
  std::vector<int64_t> lens_, layers_;
  HeadsPlan heads_, lens_heads_;  // lens_heads_: without points, of which there are as many again
};

}  // namespace vggt
