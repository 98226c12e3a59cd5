// SPDX-License-Identifier: Apache-2.0
#include "capture/scene_prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <utility>

#include "backend/cpu/camera_head.h"
#include "backend/cpu/dpt_head.h"
#include "formats/npy.h"
#include "formats/zip_writer.h"
#include "geometry/frame_view.h"
#include "geometry/pose_encoding.h"
#include "model/flops.h"

namespace vggt {
namespace {

constexpr size_t kPose = kPoseNumbers;

MapSize PatchesOf(const TokenGrid& grid) { return {grid.height, grid.width}; }

// Runs the head on all frames; activate(frame, raw) takes what it made.
template <typename Activate>
void RunDense(const PredictionInput& input, const DptSpec& spec, HeadTaps& taps,
              const StopCheck& stop_check, const Activate& activate) {
  DptHead head(input.checkpoint, input.heads.prefix, spec, PatchesOf(input.grid), input.patch_size,
               input.precision);
  FloatBuffer raw(head.pixels().pixels() * spec.outputs);
  for (int64_t frame = 0; frame < input.grid.frames; ++frame) {
    const auto read = [&](size_t level, float* tokens) {
      taps.ReadPatches(std::min(input.heads.layers[level], input.last_layer), frame, tokens);
    };
    head.Run(read, raw.data(), stop_check);
    activate(frame, raw.data());
  }
}

// How many of a frame's values are infinite or no numbers.
int64_t CountNotFinite(const FloatBuffer& values, int64_t frame, int64_t frames) {
  const auto of_frame = static_cast<int64_t>(values.size()) / frames;
  const float* first = values.data() + frame * of_frame;
  return std::count_if(first, first + of_frame, [](float v) { return !std::isfinite(v); });
}

PoseNumbers PoseOf(const ScenePrediction& prediction, int64_t frame) {
  return PoseNumbers(prediction.poses.back().data() + frame * kPoseNumbers, kPose);
}

// Arrays on their way into an .npz.
class NpzEntries {
 public:
  void Add(const std::string& name, const Shape& shape, std::span<const float> values) {
    headers_.push_back(NpyHeader("<f4", shape));
    const Bytes header{reinterpret_cast<const uint8_t*>(headers_.back().data()),
                       headers_.back().size()};
    entries_.push_back(
        {name + ".npy",
         {header, {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()}}});
  }
  // Keeps the values.
  void Add(const std::string& name, const Shape& shape, std::vector<float> values) {
    kept_.push_back(std::move(values));
    Add(name, shape, std::span<const float>(kept_.back()));
  }
  const std::vector<ZipInput>& entries() const { return entries_; }

 private:
  std::list<std::string> headers_;
  std::list<std::vector<float>> kept_;
  std::vector<ZipInput> entries_;
};

void AddPoses(const ScenePrediction& p, NpzEntries& out) {
  std::vector<float> list, extrinsic, intrinsic;
  for (const auto& poses : p.poses) list.insert(list.end(), poses.begin(), poses.end());
  for (int64_t f = 0; f < p.frames; ++f) {
    const PoseMatrices m = MatricesOfPose(PoseOf(p, f), p.width, p.height);
    extrinsic.insert(extrinsic.end(), m.extrinsic.begin(), m.extrinsic.end());
    intrinsic.insert(intrinsic.end(), m.intrinsic.begin(), m.intrinsic.end());
  }
  out.Add("pose_enc", {p.frames, kPoseNumbers}, std::span<const float>(p.poses.back()));
  out.Add("pose_enc_list", {std::ssize(p.poses), p.frames, kPoseNumbers}, std::move(list));
  out.Add("extrinsic", {p.frames, 3, 4}, std::move(extrinsic));
  out.Add("intrinsic", {p.frames, 3, 3}, std::move(intrinsic));
}

}  // namespace

int64_t ScenePrediction::cameras() const {
  int64_t count = 0;
  if (poses.empty()) return count;
  for (int64_t f = 0; f < frames; ++f) count += PoseProblem(PoseOf(*this, f)).empty() ? 1 : 0;
  return count;
}

ScenePrediction PredictScene(const PredictionInput& input, HeadTaps& taps,
                             const std::function<void(double share)>& progress,
                             const StopCheck& stop_check) {
  const HeadsPlan& heads = input.heads;
  const TokenGrid& grid = input.grid;
  const double all = PredictionFlops(heads, grid, input.patch_size);
  double done = 0;
  const auto add = [&](double flops) { progress(std::min((done += flops) / all, 1.0)); };

  ScenePrediction out;
  out.frames = grid.frames;
  out.width = grid.width * input.patch_size;
  out.height = grid.height * input.patch_size;
  const int64_t pixels = out.width * out.height;
  if (heads.camera) {
    const CameraHead head(input.checkpoint, heads.prefix, *heads.camera, input.precision,
                          stop_check);
    out.poses = head.Run(grid.frames, taps.camera_tokens(input.last_layer), stop_check);
    add(HeadFlops(*heads.camera, grid.frames));
  }
  if (heads.depth) {
    out.depth = FloatBuffer(grid.frames * pixels);
    out.depth_confidence = FloatBuffer(grid.frames * pixels);
    const double flops = HeadFlops(*heads.depth, grid.height, grid.width, input.patch_size);
    RunDense(input, *heads.depth, taps, stop_check, [&](int64_t frame, const float* raw) {
      ActivateDepth(pixels, raw, out.depth.data() + frame * pixels,
                    out.depth_confidence.data() + frame * pixels);
      add(flops);
    });
  }
  if (heads.points) {
    out.points = FloatBuffer(3 * grid.frames * pixels);
    out.point_confidence = FloatBuffer(grid.frames * pixels);
    const double flops = HeadFlops(*heads.points, grid.height, grid.width, input.patch_size);
    RunDense(input, *heads.points, taps, stop_check, [&](int64_t frame, const float* raw) {
      ActivatePoints(pixels, raw, out.points.data() + 3 * frame * pixels,
                     out.point_confidence.data() + frame * pixels);
      add(flops);
    });
  }
  input.checkpoint.CheckIntact();
  return out;
}

double PredictionMemoryBytes(const HeadsPlan& heads, const TokenGrid& grid, int64_t patch_size,
                             Precision precision) {
  double head = 0;
  if (heads.camera) head = CameraHead::MemoryBytes(*heads.camera, precision);
  double values_of_pixel = 0;  // of the result
  for (const auto* dense : {&heads.depth, &heads.points}) {
    if (!*dense) continue;
    head = std::max(head, DptHead::MemoryBytes(**dense, PatchesOf(grid), patch_size, precision));
    // Depth and confidence are copied into views, and again into those that are written.
    const int copies = dense == &heads.depth ? 3 : 1;
    values_of_pixel += static_cast<double>(copies * (*dense)->outputs);
  }
  const auto pixels = static_cast<double>(grid.frames * grid.patches() * patch_size * patch_size);
  return head + pixels * values_of_pixel * sizeof(float);
}

double PredictionFlops(const HeadsPlan& heads, const TokenGrid& grid, int64_t patch_size) {
  double flops = 0;
  if (heads.camera) flops += HeadFlops(*heads.camera, grid.frames);
  for (const auto* dense : {&heads.depth, &heads.points}) {
    if (!*dense) continue;
    flops +=
        static_cast<double>(grid.frames) * HeadFlops(**dense, grid.height, grid.width, patch_size);
  }
  return flops;
}

std::vector<std::string> PredictionNotes(const ScenePrediction& p) {
  std::vector<std::string> notes;
  const std::pair<const char*, const FloatBuffer*> arrays[] = {
      {"depth", &p.depth},
      {"depth's confidence", &p.depth_confidence},
      {"points", &p.points},
      {"points' confidence", &p.point_confidence}};
  for (int64_t f = 0; f < p.frames; ++f) {
    const std::string problem = p.poses.empty() ? "" : PoseProblem(PoseOf(p, f));
    const std::string frame = fmt::format("frame {}", f);
    if (!problem.empty()) notes.push_back(fmt::format("{} has no camera: {}", frame, problem));
    for (const auto& [name, values] : arrays) {
      const int64_t count = CountNotFinite(*values, f, p.frames);
      if (count == 0) continue;
      notes.push_back(fmt::format("{}: {} value{} of its {} {} infinite or no number{}", frame,
                                  count, count == 1 ? "" : "s", name, count == 1 ? "is" : "are",
                                  count == 1 ? "" : "s"));
    }
  }
  return notes;
}

SceneGeometry SceneOf(const ScenePrediction& p, const std::string& model) {
  SceneGeometry scene;
  scene.text = model;
  scene.predicted = true;
  scene.views.resize(static_cast<size_t>(p.frames));
  if (p.poses.empty()) return scene;
  const int64_t pixels = p.width * p.height;
  const auto width = static_cast<int>(p.width), height = static_cast<int>(p.height);
  for (int64_t f = 0; f < p.frames; ++f) {
    if (!PoseProblem(PoseOf(p, f)).empty()) continue;
    FrameView view;
    view.transform = FrameItself(width, height);
    view.camera = CameraOfPose(PoseOf(p, f), p.width, p.height);
    if (p.depth.size() > 0) {
      const float* depth = p.depth.data() + f * pixels;
      const float* confidence = p.depth_confidence.data() + f * pixels;
      view.depth = {p.width, p.height, {depth, depth + pixels}, {confidence, confidence + pixels}};
    }
    scene.views[static_cast<size_t>(f)] = std::move(view);
  }
  return scene;
}

void WritePrediction(const std::filesystem::path& path, const ScenePrediction& p) {
  NpzEntries out;
  const Shape maps{p.frames, p.height, p.width};
  if (!p.poses.empty()) AddPoses(p, out);
  if (p.depth.size() > 0) {
    out.Add("depth", maps, p.depth.span());
    out.Add("depth_conf", maps, p.depth_confidence.span());
  }
  if (p.points.size() > 0) {
    out.Add("world_points", {p.frames, p.height, p.width, 3}, p.points.span());
    out.Add("world_points_conf", maps, p.point_confidence.span());
  }
  WriteZip(path, out.entries(), false, {.sync = Sync::kLater});
}

}  // namespace vggt
