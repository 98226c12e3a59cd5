// SPDX-License-Identifier: Apache-2.0
#include "geometry/geometry_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/parallel.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/npz_floats.h"
#include "formats/zip.h"
#include "formats/zip_writer.h"
#include "geometry/camera_json.h"
#include "geometry/colmap_text.h"
#include "geometry/frame_view.h"
#include "geometry/picture_names.h"
#include "geometry/ply_file.h"
#include "geometry/point_cloud.h"
#include "geometry/scene_glb.h"
#include "image/png_codec.h"
#include "store/common/export_folder.h"
#include "store/common/frame_list_json.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr const char* kGeometryFormat = "vggt-attn-geometry";
constexpr int64_t kGeometryVersion = 1;
constexpr std::string_view kPredictedBy = "predicted by ", kGiven = "given: ";
constexpr AtomicOptions kSyncedLater = {Existing::kReplace, Sync::kLater};
constexpr uint16_t kMostLevel = 65535;

// Numbers have as many digits as those of the pictures (store/common/export_folder.h).
std::string FrameFile(const FrameList& frames, size_t frame, const char* ending) {
  return fmt::format("frame_{:0{}}{}", frame, frames.frames < 100 ? 2 : 3, ending);
}

void CheckTransforms(const FrameList& frames, const std::string& where) {
  if (std::ssize(frames.transforms) == frames.frames) return;
  throw Error("the export does not say how its pictures became frames", where,
              "Its description needs 'transforms'; see docs/formats.md.");
}

bool SourcesDiffer(const FrameList& frames) {
  std::set<std::string> different;
  for (const PictureSource& source : frames.sources) different.insert(source.file);
  return std::ssize(different) == frames.frames;
}

// The names by which the frames' pictures are found: those of the files that they were taken from
// where these tell them apart.
std::vector<std::string> PictureNames(const FrameList& frames) {
  std::vector<std::string> taken, copied;
  for (const PictureSource& source : frames.sources) taken.push_back(source.file);
  for (const std::string& path : frames.image_paths) {
    copied.push_back(fs::path(path).filename().string());
  }
  return SourcesDiffer(frames) ? taken : copied;
}

// Makes all views such of the frames themselves; none, and a note, where there is no camera.
void ToFrames(SceneGeometry& scene, const FrameList& frames, std::vector<std::string>& notes) {
  for (size_t i = 0; i < scene.views.size(); ++i) {
    const FrameTransform& transform = frames.transforms[i];
    auto& view = scene.views[i];
    const bool known = view.has_value();
    if (view) view = AtFrame(*view, transform);
    if (view && !PictureCamera(view->camera, transform)) view.reset();
    if (view) continue;
    notes.push_back(
        fmt::format("Frame {} has no camera: {}.", i,
                    known ? "its values are none, or its picture is mirrored" : "none is known"));
  }
}

// The power of ten in which all values fit 16 bits.
double UnitOf(const SceneGeometry& scene, std::vector<float> DepthMap::*values) {
  float most = 0;
  for (const auto& view : scene.views) {
    if (!view) continue;
    for (const float value : view->depth.*values) most = std::max(most, value);
  }
  return most > 0 ? std::pow(10, std::ceil(std::log10(most / double{kMostLevel}))) : 1;
}

void WriteLevels(const fs::path& path, const DepthMap& depth, const std::vector<float>& values,
                 double unit) {
  Grey16 grey{static_cast<int>(depth.width), static_cast<int>(depth.height), {}};
  for (const float value : values) {
    // What is known stays above 0.
    const double level =
        value > 0 ? std::clamp(std::round(value / unit), 1.0, double{kMostLevel}) : 0;
    grey.values.push_back(static_cast<uint16_t>(level));
  }
  WriteFileAtomic(path, EncodeGrey16Png(grey, path.string()), kSyncedLater);
}

void WriteArrays(const fs::path& path, const DepthMap& depth) {
  const std::string header = NpyHeader("<f4", {depth.height, depth.width});
  const auto bytes = [](const std::vector<float>& values) {
    return Bytes{reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)};
  };
  std::vector<ZipInput> entries = {{"depth.npy", {BytesOf(header), bytes(depth.z)}}};
  if (!depth.confidence.empty()) {
    entries.push_back({"confidence.npy", {BytesOf(header), bytes(depth.confidence)}});
  }
  WriteZip(path, entries, false, kSyncedLater);
}

struct Units {
  double depth, confidence;
};

OrderedJson DescribeFrame(const FrameView& view, const FrameList& frames, const std::string& name,
                          size_t frame) {
  const FrameTransform& transform = frames.transforms[frame];
  OrderedJson json = {
      {"file", name}, {"width", transform.original_width}, {"height", transform.original_height}};
  AddCamera(*PictureCamera(view.camera, transform), json);
  json["transform"] = ToJson(transform);
  if (view.depth.z.empty()) return json;
  json["depth"] = FrameFile(frames, frame, ".npz");
  json["depth_png"] = FrameFile(frames, frame, "_depth.png");
  if (!view.depth.confidence.empty())
    json["confidence_png"] = FrameFile(frames, frame, "_confidence.png");
  return json;
}

void WriteDepth(const fs::path& folder, const DepthMap& depth, const FrameList& frames,
                size_t frame, const Units& units) {
  if (depth.z.empty()) return;
  WriteArrays(folder / FrameFile(frames, frame, ".npz"), depth);
  WriteLevels(folder / FrameFile(frames, frame, "_depth.png"), depth, depth.z, units.depth);
  if (depth.confidence.empty()) return;
  WriteLevels(folder / FrameFile(frames, frame, "_confidence.png"), depth, depth.confidence,
              units.confidence);
}

// Values of the frame's size.
std::vector<float> ReadFloats(const ZipReader& zip, const char* name, const FrameTransform& frame) {
  std::vector<float> values = ReadNpzFloats(zip, name, {frame.model_height, frame.model_width});
  for (const float value : values) {
    if (!(value >= 0 && std::isfinite(value))) {
      throw Error(fmt::format("holds {}, which is no finite number from 0 on", value),
                  fmt::format("{}, {}", zip.file().path().string(), name));
    }
  }
  return values;
}

DepthMap ReadArrays(const fs::path& folder, const std::string& name, const FrameTransform& frame,
                    const std::string& where) {
  if (!IsBareName(name)) {
    throw Error(fmt::format("'depth' is '{}', expected the name of a file", Printable(name)),
                where);
  }
  CheckInside(folder / name, folder);
  const ZipReader zip(folder / name);
  DepthMap depth{frame.model_width, frame.model_height, ReadFloats(zip, "depth.npy", frame), {}};
  if (zip.Find("confidence.npy") != nullptr) {
    depth.confidence = ReadFloats(zip, "confidence.npy", frame);
  }
  return depth;
}

void ReadSource(const Json& json, const std::string& source, SceneGeometry& scene) {
  const auto text = GetJson<std::string>(json, "source", source);
  scene.predicted = text.starts_with(kPredictedBy);
  if (!scene.predicted && !text.starts_with(kGiven)) {
    throw Error(
        fmt::format("'source' is '{}', expected 'predicted by …' or 'given: …'", Printable(text)),
        source);
  }
  scene.text = PrintableText(text.substr((scene.predicted ? kPredictedBy : kGiven).size()));
}

}  // namespace

GeometrySummary WriteGeometryFolder(const fs::path& folder, SceneGeometry scene,
                                    const FrameList& frames, std::span<const uint8_t> rgb,
                                    const GeometryPoints& points) {
  CheckTransforms(frames, folder.string());
  CreateDirectory(folder);
  GeometrySummary summary;
  ToFrames(scene, frames, summary.notes);
  const Units units = {UnitOf(scene, &DepthMap::z), UnitOf(scene, &DepthMap::confidence)};
  ParallelFor(scene.views.size(), 1, [&](size_t i) {
    if (scene.views[i]) WriteDepth(folder, scene.views[i]->depth, frames, i, units);
  });

  const PointCloud cloud =
      MakePointCloud(scene, frames, rgb, points.percentile, points.most_points);
  summary.points = std::ssize(cloud.points);
  WritePly(folder / "points.ply", cloud.points, kSyncedLater);
  WriteSceneGlb(folder / "scene.glb", scene, frames, cloud.points, kSyncedLater);
  WriteColmapText(folder / "colmap", scene, frames,
                  SomePoints(cloud.points, points.most_colmap_points), kSyncedLater);

  OrderedJson json = {
      {"format", kGeometryFormat},
      {"format_version", kGeometryVersion},
      {"source", fmt::format("{}{}", scene.predicted ? kPredictedBy : kGiven, scene.text)},
      {"depth_png_unit", units.depth}};
  if (cloud.least_confidence > 0) json["confidence_png_unit"] = units.confidence;
  json["points"] = {{"count", summary.points},
                    {"of", cloud.known},
                    {"percentile", points.percentile},
                    {"least_confidence", cloud.least_confidence}};
  json["frames"] = OrderedJson::array();
  const std::vector<std::string> names = PictureNames(frames);
  for (size_t i = 0; i < scene.views.size(); ++i) {
    const auto& view = scene.views[i];
    summary.cameras += view ? 1 : 0;
    summary.depth_maps += view && !view->depth.z.empty() ? 1 : 0;
    json["frames"].push_back(view ? DescribeFrame(*view, frames, names[i], i) : OrderedJson());
  }
  WriteFileAtomic(folder / kCamerasName, DumpJson(json), kSyncedLater);
  return summary;
}

bool HoldsGeometryFolder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / kCamerasName, ignored)) return false;
  return HasJson(ReadJsonFile(folder / kCamerasName), "format");
}

SceneGeometry ReadGeometryFolder(const fs::path& folder, const FrameList& frames) {
  const fs::path file = folder / kCamerasName;
  CheckInside(file, folder);
  const std::string source = file.string();
  CheckTransforms(frames, source);
  const Json json = ReadJsonFile(file);
  const auto format = GetJson<std::string>(json, "format", source);
  if (format != kGeometryFormat) {
    throw Error(fmt::format("'format' is '{}', expected '{}'", Printable(format), kGeometryFormat),
                source);
  }
  const auto version = GetJson<int64_t>(json, "format_version", source);
  if (version != kGeometryVersion) {
    throw Error(
        fmt::format("its format has version {}, version {} is read", version, kGeometryVersion),
        source, "Use a newer vggt-attn.");
  }
  SceneGeometry out;
  out.views.resize(static_cast<size_t>(frames.frames));
  ReadSource(json, source, out);

  const std::vector<Json> all = GetJson<std::vector<Json>>(json, "frames", source);
  std::vector<size_t> places;
  std::vector<std::string> names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_null()) continue;
    places.push_back(i);
    names.push_back(GetJson<std::string>(all[i], "file", fmt::format("{}, frames[{}]", source, i)));
  }
  if (names.empty()) return out;
  // Where files of one name became several frames, the copies' names were written (PictureNames).
  FrameList named = frames;
  if (!SourcesDiffer(frames)) named.sources.clear();
  const auto found = FramesOf(names, named, source);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) continue;
    const auto frame = static_cast<size_t>(*found[i]);
    const Json& entry = all[places[i]];
    const std::string where = fmt::format("{}, frames[{}]", source, places[i]);
    CheckPictureIs(frames, *found[i], GetExtent(entry, "width", where, 1),
                   GetExtent(entry, "height", where, 1), where);
    const FrameTransform& transform = frames.transforms[frame];
    const auto camera = FrameCamera(ParseCamera(entry, Json(), where), transform);
    if (!camera) throw Error("has a camera of a picture that the export mirrors", where);
    FrameView view{FrameItself(transform.model_width, transform.model_height), *camera, {}};
    if (HasJson(entry, "depth")) {
      view.depth =
          ReadArrays(folder, GetJson<std::string>(entry, "depth", where), transform, where);
    }
    out.views[frame] = std::move(view);
  }
  return out;
}

}  // namespace vggt
