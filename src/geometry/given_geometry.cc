// SPDX-License-Identifier: Apache-2.0
#include "geometry/given_geometry.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "geometry/colmap_model.h"
#include "geometry/geometry_file.h"
#include "geometry/geometry_folder.h"
#include "geometry/picture_names.h"
#include "geometry/scan_folder.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

SceneGeometry CamerasOf(const ColmapModel& model, const FrameList& frames, const fs::path& folder) {
  const std::string source = folder.string();
  std::vector<std::string> names;
  for (const ColmapImage& image : model.images) names.push_back(image.name);
  const auto found = FramesOf(names, frames, source);
  SceneGeometry out{{}, "the model " + source};
  out.views.resize(static_cast<size_t>(frames.frames));
  for (size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) continue;
    const ColmapImage& image = model.images[i];
    CheckPictureIs(frames, *found[i], image.width, image.height, source);
    const auto frame = static_cast<size_t>(*found[i]);
    out.views[frame] = FrameView{frames.transforms[frame], image.camera, {}};
  }
  return out;
}

}  // namespace

std::optional<fs::path> ColmapFolder(const fs::path& folder) {
  for (const char* below : {"", "sparse/0", "sparse", "0"}) {
    fs::path candidate = *below == 0 ? folder : folder / below;
    if (HoldsColmapModel(candidate)) return candidate;
  }
  return std::nullopt;
}

SceneGeometry ReadGivenGeometry(const fs::path& path, const FrameList& frames) {
  if (std::ssize(frames.transforms) != frames.frames) {
    throw Error("the export does not say how its pictures became frames", path.string(),
                "Its description needs 'transforms'; see docs/formats.md.");
  }
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  const fs::path folder = is_folder ? path : fs::absolute(path).parent_path();
  if ((is_folder || path.filename() == kCamerasName) && HoldsGeometryFolder(folder)) {
    return ReadGeometryFolder(folder, frames);
  }
  if (!is_folder) return ReadGeometryFile(path, frames);
  if (fs::exists(path / kCamerasName, ignored)) {
    return ReadGeometryFile(path / kCamerasName, frames);
  }
  if (const auto model = ColmapFolder(path)) {
    return CamerasOf(ReadColmapModel(*model), frames, *model);
  }
  if (HoldsScan(path)) return ReadScan(path, frames);
  throw Error("holds no geometry", path.string(),
              "Give a cameras.json or a folder with a model of COLMAP (cameras, images, points3D) "
              "or a scan (pose/, depth/, intrinsic/).");
}

}  // namespace vggt
