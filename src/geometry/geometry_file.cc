// SPDX-License-Identifier: Apache-2.0
#include "geometry/geometry_file.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/file.h"
#include "formats/json.h"
#include "geometry/picture_names.h"
#include "image/png_codec.h"

namespace vggt {
namespace {

constexpr double kMillimetre = 1e-3;
constexpr uint64_t kMostDepthBytes = 1 << 28;

std::vector<double> Numbers(const Json& json, const char* key, size_t count,
                            const std::string& source) {
  std::vector<double> out = GetJson<std::vector<double>>(json, key, source);
  if (out.size() == count) return out;
  throw Error(fmt::format("'{}' has {} numbers, expected {}", key, out.size(), count), source);
}

Matrix3 Matrix(const Json& json, const char* key, const std::string& source) {
  const std::vector<Json> rows = GetJson<std::vector<Json>>(json, key, source);
  Matrix3 out{};
  if (rows.size() != 3) {
    throw Error(fmt::format("'{}' has {} rows, expected 3", key, rows.size()), source);
  }
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<double> row = Numbers(Json{{key, rows[i]}}, key, 3, source);
    std::copy(row.begin(), row.end(), out[i].begin());
  }
  return out;
}

// A value that stands in the view or, for all views, beside them.
const Json& Holder(const Json& view, const Json& file, const char* key) {
  return HasJson(view, key) ? view : file;
}

Camera ReadCamera(const Json& view, const Json& file, const std::string& source) {
  const Matrix3 k = Matrix(Holder(view, file, "K"), "K", source);
  if (k[0][1] != 0 || k[1][0] != 0 || k[2] != Vector3{0, 0, 1}) {
    throw Error("'K' is not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]", source);
  }
  Camera camera;
  camera.fx = k[0][0];
  camera.fy = k[1][1];
  camera.cx = k[0][2] + 0.5;  // the file has pixel centres at whole numbers
  camera.cy = k[1][2] + 0.5;
  camera.rotation = Matrix(view, "R", source);
  const std::vector<double> t = Numbers(view, "t", 3, source);
  std::copy(t.begin(), t.end(), camera.translation.begin());
  CheckCamera(camera, source);
  return camera;
}

DepthMap ReadDepth(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path path = folder / name;
  CheckInside(path, folder);
  const std::string bytes = ReadFile(path, kMostDepthBytes);
  const Grey16 levels = DecodeGrey16Png(BytesOf(bytes), path.string());
  DepthMap depth{levels.width, levels.height, {}, {}};
  for (const uint16_t level : levels.values) {
    depth.z.push_back(static_cast<float>(level * kMillimetre));
  }
  return depth;
}

// The depth's own rule of where samples lie must be that of DepthMap.
void CheckStep(const Json& file, const DepthMap& depth, int64_t width, int64_t height,
               const std::string& source) {
  if (HasJson(file, "depth_step")) {
    const int64_t step = GetExtent(file, "depth_step", source, 1);
    if (depth.width * step == width && depth.height * step == height) return;
    throw Error(fmt::format("a depth map of {} x {} samples with 'depth_step' {} does not cover a "
                            "picture of {} x {} pixels",
                            depth.width, depth.height, step, width, height),
                source);
  }
  if (depth.width <= width && depth.height <= height) return;
  throw Error(fmt::format("a depth map of {} x {} samples is larger than its picture, {} x {}",
                          depth.width, depth.height, width, height),
              source);
}

}  // namespace

SceneGeometry ReadGeometryFile(const std::filesystem::path& file, const FrameList& frames) {
  const Json json = ReadJsonFile(file);
  const std::string source = file.string();
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const std::vector<Json> views = GetJson<std::vector<Json>>(json, "views", source);
  std::vector<std::string> names;
  for (const Json& view : views) names.push_back(GetJson<std::string>(view, "file", source));
  const auto found = FramesOf(names, frames, source);

  SceneGeometry out;
  out.views.resize(static_cast<size_t>(frames.frames));
  out.text = file.filename().string();
  for (size_t i = 0; i < views.size(); ++i) {
    if (!found[i]) continue;
    const Json& view = views[i];
    const std::string where = fmt::format("{}, views[{}]", source, i);
    const int64_t width = GetExtent(Holder(view, json, "width"), "width", where, 1);
    const int64_t height = GetExtent(Holder(view, json, "height"), "height", where, 1);
    CheckPictureIs(frames, *found[i], width, height, where);
    FrameView made;
    made.transform = frames.transforms[static_cast<size_t>(*found[i])];
    made.camera = ReadCamera(view, json, where);
    if (HasJson(view, "depth")) {
      made.depth = ReadDepth(folder, GetJson<std::string>(view, "depth", where));
      CheckStep(json, made.depth, width, height, where);
    }
    out.views[static_cast<size_t>(*found[i])] = std::move(made);
  }
  return out;
}

}  // namespace vggt
