// SPDX-License-Identifier: Apache-2.0
#include "geometry/prediction_file.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "core/file.h"
#include "core/parallel.h"
#include "formats/npz_floats.h"
#include "formats/zip.h"
#include "geometry/frame_pixels.h"
#include "geometry/frame_view.h"
#include "geometry/pose_encoding.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kLensPrefix = "lens_layer_";
constexpr size_t kPoseNumbers = 9;

// None of a name that LensName does not give.
std::optional<int64_t> LayerOfLens(const std::string& name) {
  if (!name.starts_with(kLensPrefix)) return std::nullopt;
  int32_t number = 0;
  std::from_chars(name.data() + kLensPrefix.size(), name.data() + name.size(), number);
  if (number < 1 || LensName(number - 1) != name) return std::nullopt;
  return number - 1;
}

}  // namespace

std::string LensName(int64_t layer) { return "lens_" + LayerName(layer) + ".npz"; }

std::vector<int64_t> LensLayers(const fs::path& folder) {
  std::vector<int64_t> layers;
  std::error_code gone;
  for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    if (const auto layer = LayerOfLens(entry->path().filename().string())) {
      layers.push_back(*layer);
    }
  }
  std::ranges::sort(layers);
  return layers;
}

SceneGeometry ReadPrediction(const fs::path& folder, const std::string& name,
                             const FrameList& frames) {
  const fs::path file = folder / name;
  CheckInside(file, folder);
  if (frames.transforms.empty()) {
    throw Error("the export does not say how its pictures became frames", file.string());
  }
  CheckEqualSizes(frames, file.string());
  const int width = frames.transforms[0].model_width, height = frames.transforms[0].model_height;
  const ZipReader zip(file);
  const Shape maps = {frames.frames, height, width};
  const std::vector<float> poses =
      ReadNpzFloats(zip, "pose_enc.npy", {frames.frames, int64_t{kPoseNumbers}});
  const std::vector<float> depth = ReadNpzFloats(zip, "depth.npy", maps);
  const std::vector<float> confidence = ReadNpzFloats(zip, "depth_conf.npy", maps);

  SceneGeometry scene;
  scene.text = name;
  scene.predicted = true;
  scene.views.resize(frames.transforms.size());
  const auto pixels = static_cast<std::ptrdiff_t>(width) * height;
  ParallelFor(scene.views.size(), 1, [&](size_t i) {
    const PoseNumbers pose(poses.data() + kPoseNumbers * i, kPoseNumbers);
    if (!PoseProblem(pose).empty()) return;
    const auto of_frame = [&](const std::vector<float>& values) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i) * pixels;
      return std::vector<float>(begin, begin + pixels);
    };
    const FrameView view = {FrameItself(width, height),
                            CameraOfPose(pose, width, height),
                            {width, height, of_frame(depth), of_frame(confidence)}};
    scene.views[i] = AtFrame(view, frames.transforms[i]);
  });
  return scene;
}

}  // namespace vggt
