// SPDX-License-Identifier: Apache-2.0
#include "server/geometry_answer.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attention/request_words.h"
#include "core/error.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "geometry/frame_cells.h"
#include "geometry/frame_pixels.h"
#include "geometry/geometry_folder.h"
#include "geometry/point_cloud.h"
#include "geometry/prediction_file.h"
#include "geometry/scene_alignment.h"
#include "server/answer_form.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostPoints = 2'000'000;
constexpr int64_t kUsualPoints = 500'000;
constexpr int64_t kMostLayers = 10'000;
// Samples of depth along each side of a patch. Odd numbers, so that one lies in its middle.
constexpr std::array<int64_t, 3> kDepthSamples = {5, 3, 1};

OrderedJson CameraJson(const Camera& c) {
  return {{"fx", c.fx},
          {"fy", c.fy},
          {"cx", c.cx},
          {"cy", c.cy},
          {"distortion", {c.k1, c.k2, c.p1, c.p2}},
          {"rotation", c.rotation},
          {"translation", c.translation}};
}

Response Described(const SceneGeometry& scene, const OpenedExport& opened,
                   std::optional<int64_t> layer) {
  const FrameCells cells(opened.described.frames);
  OrderedJson json = {{"export", opened.id},           {"source", PrintableText(scene.text)},
                      {"predicted", scene.predicted},  {"width", cells.width},
                      {"height", cells.height},        {"points", int64_t{0}},
                      {"lens", OrderedJson::array()},  {"layer", nullptr},
                      {"frames", OrderedJson::array()}};
  if (layer) json["layer"] = *layer + 1;
  if (const auto folder = opened.described.GeometryFolder()) {
    for (const int64_t known : LensLayers(*folder)) json["lens"].push_back(known + 1);
  }
  int64_t points = 0;
  for (const auto& view : scene.views) {
    if (!view) {
      json["frames"].push_back(nullptr);
      continue;
    }
    OrderedJson one = CameraJson(view->camera);
    one["depth"] = !view->depth.z.empty();
    for (const float z : view->depth.z) points += z > 0 ? 1 : 0;
    json["frames"].push_back(std::move(one));
  }
  json["points"] = points;
  return JsonResponse(json);
}

template <typename T>
void Append(const std::string& type, const Shape& shape, const std::vector<T>& values,
            std::string& body) {
  body += NpyHeader(type, shape);
  body.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

Response Points(const SceneGeometry& scene, const Export& e, int64_t most,
                const StopCheck& stop_check) {
  const std::vector<uint8_t> rgb = ReadFramePixels(
      e.frames, [&](size_t frame) { return e.ImagePath(frame); }, stop_check);
  const std::vector<CloudPoint> points = MakePointCloud(scene, e.frames, rgb, 0, most).points;
  std::vector<float> positions, confidence;
  std::vector<uint8_t> colours;
  std::vector<uint32_t> cells;
  for (const CloudPoint& point : points) {
    positions.insert(positions.end(), point.position.begin(), point.position.end());
    colours.insert(colours.end(), point.colour.begin(), point.colour.end());
    cells.push_back(static_cast<uint32_t>(point.frame));
    cells.push_back(static_cast<uint32_t>(point.patch));
    confidence.push_back(point.confidence);
  }
  const int64_t count = std::ssize(points);
  std::string body;
  Append("<f4", {count, 3}, positions, body);
  Append("|u1", {count, 3}, colours, body);
  Append("<u4", {count, 2}, cells, body);
  Append("<f4", {count}, confidence, body);
  return NpyResponse(std::move(body));
}

Response Depth(const SceneGeometry& scene, const FrameList& frames) {
  const FrameCells cells(frames);
  size_t at = 0;
  const auto shape_at = [&](int64_t samples) {
    return Shape{frames.frames, cells.rows * samples, cells.cols * samples};
  };
  while (static_cast<size_t>(NumElements(shape_at(kDepthSamples[at]))) * sizeof(float) >
         kMostAnswerBytes) {
    if (++at == kDepthSamples.size()) {
      throw Refusal(422, "has too many frames for their depth to be shown");
    }
  }
  const Shape shape = shape_at(kDepthSamples[at]);
  std::vector<float> out;
  out.reserve(static_cast<size_t>(NumElements(shape)));
  for (const auto& view : scene.views) {
    for (int64_t row = 0; row < shape[1]; ++row) {
      for (int64_t col = 0; col < shape[2]; ++col) {
        const Point place = {
            (static_cast<double>(col) + 0.5) * cells.width / static_cast<double>(shape[2]),
            (static_cast<double>(row) + 0.5) * cells.height / static_cast<double>(shape[1])};
        out.push_back(view ? static_cast<float>(DepthAt(*view, place)) : 0.0F);
      }
    }
  }
  std::string body;
  Append("<f4", shape, out, body);
  return NpyResponse(std::move(body));
}

std::optional<int64_t> LayerAsked(const RequestParams& params) {
  const auto text = ParamValue(params, "lens");
  if (!text) return std::nullopt;
  return ParseNumber(*text, {"layer", 1, kMostLayers}, "lens") - 1;
}

int64_t PointsAsked(const RequestParams& params) {
  const auto text = ParamValue(params, "points");
  return text ? ParseNumber(*text, {"number", 1, kMostPoints}, "points") : kUsualPoints;
}

}  // namespace

GeometryAnswers::Scene GeometryAnswers::ReadScene(const std::shared_ptr<const OpenedExport>& opened,
                                                  const fs::path& folder) {
  const auto identity = IdentityOf(folder / kCamerasName);
  if (scene_ && identity_ == identity && of_.lock() == opened) return scene_;
  scene_ = nullptr;
  auto read = std::make_shared<SceneGeometry>(ReadGeometryFolder(folder, opened->described.frames));
  CheckEqualSizes(opened->described.frames, folder.string());
  scene_ = std::move(read);
  lens_ = nullptr;
  identity_ = identity;
  of_ = opened;
  return scene_;
}

GeometryAnswers::Scene GeometryAnswers::SceneOf(const std::shared_ptr<const OpenedExport>& opened,
                                                std::optional<int64_t> layer) {
  const std::optional<fs::path> folder = opened->described.GeometryFolder();
  if (!folder) {
    throw Refusal(404, "this export has no geometry", opened->id,
                  "Export with --geometry, or add cameras with vggt-attn geometry.");
  }
  // Whoever asks meanwhile waits: it would read the same.
  const std::scoped_lock lock(mutex_);
  Scene scene = ReadScene(opened, *folder);
  if (!layer) return scene;
  const auto identity = IdentityOf(*folder / LensName(*layer));
  if (!identity) {
    throw Refusal(
        404, fmt::format("what the heads make of layer {} is not among this geometry", *layer + 1),
        opened->id, fmt::format("Export with --geometry --layers_lens {}.", *layer + 1));
  }
  if (lens_ && lens_identity_ == identity && lens_layer_ == layer) return lens_;
  lens_ = nullptr;
  SceneGeometry read =
      AlignScene(ReadPrediction(*folder, LensName(*layer), opened->described.frames), *scene);
  read.text = scene->text;
  lens_ = std::make_shared<SceneGeometry>(std::move(read));
  lens_identity_ = identity;
  lens_layer_ = layer;
  return lens_;
}

Response GeometryAnswers::Answer(const Request& request,
                                 const std::shared_ptr<const OpenedExport>& opened,
                                 const StopCheck& stop_check) {
  constexpr std::array<std::string_view, 3> kNames = {"export", "lens", "points"};
  const std::string& path = request.path;
  const bool points = path == "/api/geometry/points.npy";
  const bool depth = path == "/api/geometry/depth.npy";
  if (!points && !depth && path != "/api/geometry.json") {
    throw Refusal(404, "there is no such address", path);
  }
  CheckNames(request.params, std::span(kNames).first(points ? 3 : 2));
  const int64_t most = PointsAsked(request.params);
  const std::optional<int64_t> layer = LayerAsked(request.params);
  const Scene scene = SceneOf(opened, layer);
  if (points) return Points(*scene, opened->described, most, stop_check);
  if (depth) return Depth(*scene, opened->described.frames);
  return Described(*scene, *opened, layer);
}

}  // namespace vggt
