// SPDX-License-Identifier: Apache-2.0
#include "capture/geometry_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/cpu/weight_loader.h"
#include "geometry/geometry_folder.h"
#include "geometry/prediction_file.h"
#include "model/checkpoint_report.h"

namespace vggt {
namespace {

// Layers of `option` counted from 0 instead of 1.
template <typename Layers>
Layers FromZero(Layers layers, const char* option, int64_t depth) {
  for (int64_t& layer : layers) {
    if (layer < 1 || layer > depth) {
      throw OptionError(option, fmt::format("there is no layer {} in this model, which has 1 to {}",
                                            layer, depth));
    }
    --layer;
  }
  return layers;
}

std::vector<int64_t> Ascending(std::vector<int64_t> layers) {
  std::ranges::sort(layers);
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

HeadsPlan ChooseHeads(const PredictionOptions& options, const Checkpoint& checkpoint,
                      const ModelPlan& plan, int64_t depth) {
  HeadsOptions chosen{.layers = options.layers, .camera_heads = options.camera_heads};
  if (chosen.layers) chosen.layers = FromZero(*chosen.layers, "geometry_layers", depth);
  try {
    return ReadHeadsPlan(checkpoint, plan,
                         {.camera = true, .depth = true, .points = options.points}, chosen);
  } catch (const Error& error) {
    throw Error(error.problem(), error.where(),
                "Cameras and depth (`geometry`) are predicted by these. Leave it out, or give a "
                "checkpoint that has them.");
  }
}

HeadsPlan WithoutPoints(HeadsPlan heads) {
  heads.points.reset();
  return heads;
}

}  // namespace

GeometryCapture::GeometryCapture(PredictionOptions options, const Checkpoint& checkpoint,
                                 const ModelPlan& plan, Precision precision)
    : checkpoint_(checkpoint),
      model_(plan.family),
      depth_(plan.count(BlockKind::kGlobal)),
      patch_size_(plan.patch_size),
      precision_(precision),
      lens_(Ascending(FromZero(std::move(options.lens), "layers_lens", depth_))),
      heads_(ChooseHeads(options, checkpoint, plan, depth_)),
      lens_heads_(WithoutPoints(heads_)) {
  layers_ = TapLayers(heads_, depth_);
  layers_.insert(layers_.end(), lens_.begin(), lens_.end());
  layers_ = Ascending(std::move(layers_));
}

double GeometryCapture::MemoryBytes(const TokenGrid& grid) const {
  return PredictionMemoryBytes(heads_, grid, patch_size_, precision_);
}

double GeometryCapture::Flops(const TokenGrid& grid) const {
  return PredictionFlops(heads_, grid, patch_size_) +
         static_cast<double>(lens_.size()) * PredictionFlops(lens_heads_, grid, patch_size_);
}

void GeometryCapture::CheckWeights(const StopCheck& stop_check) const {
  const WeightLoader weights(checkpoint_, heads_.prefix, Precision::kF32);
  for (const WantedTensor& tensor : HeadTensors(heads_)) {
    CheckStop(stop_check);
    weights.Values(tensor.name);
  }
}

GeometryCounts GeometryCapture::Run(const std::filesystem::path& folder, HeadTaps& taps,
                                    const FrameList& frames, const FrameBatch& batch,
                                    CaptureProgress& progress, const StopCheck& stop_check) const {
  const TokenGrid grid{batch.count, 0, batch.height / patch_size_, batch.width / patch_size_};
  const auto bytes = static_cast<size_t>(3 * batch.count * batch.height * batch.width);
  GeometryCounts counts;
  {
    const ScenePrediction prediction = Predict(heads_, depth_ - 1, "predicting cameras and depth",
                                               grid, taps, progress, stop_check);
    for (const std::string& note : PredictionNotes(prediction)) progress.Note(note);
    const GeometrySummary written =
        WriteGeometryFolder(folder, SceneOf(prediction, model_), frames, {batch.rgb, bytes});
    if (written.cameras < prediction.cameras()) {
      for (const std::string& note : written.notes) progress.Note(note);
    }
    WritePrediction(folder / kPredictionName, prediction);
    counts = {written.cameras, written.depth_maps, written.points};
  }
  for (const int64_t layer : lens_) {
    const std::string stage = fmt::format("predicting after layer {} of {}", layer + 1, depth_);
    WritePrediction(folder / LensName(layer),
                    Predict(lens_heads_, layer, stage, grid, taps, progress, stop_check));
  }
  return counts;
}

ScenePrediction GeometryCapture::Predict(const HeadsPlan& heads, int64_t last_layer,
                                         const std::string& stage, const TokenGrid& grid,
                                         HeadTaps& taps, CaptureProgress& progress,
                                         const StopCheck& stop_check) const {
  progress.Begin(stage);
  return PredictScene(
      {checkpoint_, heads, grid, patch_size_, precision_, last_layer}, taps,
      [&](double share) {
        CheckStop(stop_check);
        progress.Update(share, "");
      },
      stop_check);
}

}  // namespace vggt
