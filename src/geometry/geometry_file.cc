// SPDX-License-Identifier: Apache-2.0
#include "geometry/geometry_file.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/file.h"
#include "formats/json.h"
#include "geometry/camera_json.h"
#include "geometry/picture_names.h"
#include "image/png_codec.h"

namespace vggt {
namespace {

constexpr double kMillimetre = 1e-3;
constexpr uint64_t kMostDepthBytes = 1 << 28;

// A value that stands in the view or, for all views, beside them.
const Json& Holder(const Json& view, const Json& file, const char* key) {
  return HasJson(view, key) ? view : file;
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

DepthMap ReadDepthPng(const std::filesystem::path& file, const std::filesystem::path& root) {
  CheckInside(file, root);
  const std::string bytes = ReadFile(file, kMostDepthBytes);
  const Grey16 levels = DecodeGrey16Png(BytesOf(bytes), file.string());
  DepthMap depth{levels.width, levels.height, {}, {}};
  for (const uint16_t level : levels.values) {
    depth.z.push_back(static_cast<float>(level * kMillimetre));
  }
  return depth;
}

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
    made.camera = ParseCamera(view, json, where);
    if (HasJson(view, "depth")) {
      made.depth = ReadDepthPng(folder / GetJson<std::string>(view, "depth", where), folder);
      CheckStep(json, made.depth, width, height, where);
    }
    out.views[static_cast<size_t>(*found[i])] = std::move(made);
  }
  return out;
}

}  // namespace vggt
