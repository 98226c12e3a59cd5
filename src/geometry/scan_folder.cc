// SPDX-License-Identifier: Apache-2.0
#include "geometry/scan_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "geometry/camera.h"
#include "geometry/geometry_file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMostMatrixBytes = 64'000;
constexpr const char* kIntrinsics[] = {"intrinsic/intrinsic_color.txt", "intrinsic_color.txt",
                                       "intrinsics.txt", "intrinsic.txt"};

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The numbers of a text file, row after row: of a square matrix of one of `sides`.
std::vector<double> ReadMatrix(const fs::path& file, const fs::path& root,
                               std::initializer_list<size_t> sides) {
  CheckInside(file, root);
  const std::string text = ReadFile(file, kMostMatrixBytes);
  std::vector<double> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && std::string_view(" \t\r\n").find(*at) != std::string_view::npos) ++at;
    if (at != end && *at == '+') ++at;
    double value = 0;
    const auto read = std::from_chars(at, end, value);  // also "-inf", as ScanNet writes
    if (read.ec != std::errc()) break;
    out.push_back(value);
    at = read.ptr;
  }
  const bool all_read = at == end;
  for (const size_t side : sides) {
    if (all_read && out.size() == side * side) return out;
  }
  throw Error(fmt::format("holds no matrix of {0} x {0} numbers", *sides.begin()), file.string());
}

Camera ReadIntrinsics(const fs::path& folder) {
  for (const char* name : kIntrinsics) {
    if (!Exists(folder / name)) continue;
    const std::vector<double> k = ReadMatrix(folder / name, folder, {4, 3});
    const size_t side = k.size() == 16 ? 4 : 3;
    Camera camera;
    camera.fx = k[0];
    camera.fy = k[side + 1];
    camera.cx = k[2] + 0.5;
    camera.cy = k[side + 2] + 0.5;
    CheckCamera(camera, (folder / name).string());
    return camera;
  }
  throw Error("has no intrinsics", folder.string(),
              fmt::format("Put them into {} or {}.", kIntrinsics[0], kIntrinsics[2]));
}

// Turns a pose, world from camera, round; none if it was lost.
std::optional<Camera> WithPose(Camera camera, const std::vector<double>& pose,
                               const std::string& where) {
  if (!std::all_of(pose.begin(), pose.end(), [](double value) { return std::isfinite(value); })) {
    return std::nullopt;
  }
  camera.translation = {0, 0, 0};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      camera.rotation[i][j] = pose[4 * j + i];
      camera.translation[i] -= pose[4 * j + i] * pose[4 * j + 3];
    }
  }
  CheckCamera(camera, where);
  return camera;
}

}  // namespace

bool HoldsScan(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "pose", ignored);
}

SceneGeometry ReadScan(const fs::path& folder, const FrameList& frames) {
  const Camera intrinsics = ReadIntrinsics(folder);
  SceneGeometry out{{}, folder.filename().string()};
  bool any = false;
  for (size_t i = 0; i < static_cast<size_t>(frames.frames); ++i) {
    auto& view = out.views.emplace_back();
    const std::string name =
        frames.sources.empty() ? frames.image_paths[i] : frames.sources[i].file;
    const std::string stem = fs::path(name).stem().string();
    const fs::path pose = folder / "pose" / (stem + ".txt"),
                   depth = folder / "depth" / (stem + ".png");
    if (!Exists(pose)) continue;
    any = true;
    const auto camera = WithPose(intrinsics, ReadMatrix(pose, folder, {4}), pose.string());
    if (!camera) continue;
    const FrameTransform& transform = frames.transforms[i];
    if (camera->cx > transform.original_width || camera->cy > transform.original_height) {
      throw Error(fmt::format("the intrinsics are of larger pictures than frame {}, which has {} x "
                              "{} pixels",
                              i, transform.original_width, transform.original_height),
                  folder.string(), "Export the pictures that the intrinsics are of.");
    }
    view = FrameView{transform, *camera, {}};
    if (Exists(depth)) view->depth = ReadDepthPng(depth, folder);
  }
  if (any) return out;
  throw Error("has no pose of a picture of the export", (folder / "pose").string(),
              "The pose of 120.jpg is pose/120.txt.");
}

}  // namespace vggt
