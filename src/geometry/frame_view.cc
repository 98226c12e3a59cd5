// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_view.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/error.h"

namespace vggt {
namespace {

// One picture's pixels from another's: along axis i of it, `scale[i]` · `sign[i]` · (axis
// `from[i]` of the other) + `shift[i]`.
struct AxisMap {
  std::array<size_t, 2> from{};
  std::array<double, 2> sign{}, scale{}, shift{};

  bool mirrors() const { return sign[0] * sign[1] * (from[0] == 0 ? 1 : -1) < 0; }
};

template <typename Function>
AxisMap AxesOf(const Function& map) {
  const Point origin = map(Point{0, 0}), x = map(Point{1, 0}), y = map(Point{0, 1});
  const double by[2][2] = {{x.x - origin.x, y.x - origin.x}, {x.y - origin.y, y.y - origin.y}};
  AxisMap out;
  out.shift = {origin.x, origin.y};
  for (size_t i = 0; i < 2; ++i) {
    out.from[i] = std::abs(by[i][0]) > std::abs(by[i][1]) ? 0 : 1;
    out.scale[i] = std::abs(by[i][out.from[i]]);
    out.sign[i] = by[i][out.from[i]] < 0 ? -1 : 1;
  }
  return out;
}

// A quarter turn of the picture is one of the camera about its axis.
std::optional<Camera> Moved(const Camera& camera, const AxisMap& axes) {
  if (axes.mirrors()) return std::nullopt;
  const std::array<double, 2> focal = {camera.fx, camera.fy}, centre = {camera.cx, camera.cy},
                              tangential = {camera.p2, camera.p1};
  Camera out = camera;
  double* const focal_out[] = {&out.fx, &out.fy};
  double* const centre_out[] = {&out.cx, &out.cy};
  double* const tangential_out[] = {&out.p2, &out.p1};
  for (size_t i = 0; i < 2; ++i) {
    const size_t from = axes.from[i];
    *focal_out[i] = axes.scale[i] * focal[from];
    *centre_out[i] = axes.scale[i] * axes.sign[i] * centre[from] + axes.shift[i];
    *tangential_out[i] = axes.sign[i] * tangential[from];
    out.translation[i] = axes.sign[i] * camera.translation[from];
    for (size_t j = 0; j < 3; ++j) {
      out.rotation[i][j] = axes.sign[i] * camera.rotation[from][j];
    }
  }
  return out;
}

bool IsCamera(const Camera& camera) {
  try {
    CheckCamera(camera, "");
    return true;
  } catch (const Error&) {
    return false;
  }
}

float Known(double value) {
  return value > 0 && std::isfinite(static_cast<float>(value)) ? static_cast<float>(value) : 0;
}

}  // namespace

FrameTransform FrameItself(int width, int height) {
  return {.original_width = width,
          .original_height = height,
          .resized_width = width,
          .resized_height = height,
          .crop_height = height,
          .model_width = width,
          .model_height = height};
}

bool ConcernsFrame(const FrameView& view) {
  return view.transform == FrameItself(view.transform.model_width, view.transform.model_height);
}

std::optional<Camera> FrameCamera(const Camera& camera, const FrameTransform& transform) {
  return Moved(camera, AxesOf([&](Point p) { return ModelFromOriginal(transform, p); }));
}

std::optional<Camera> PictureCamera(const Camera& camera, const FrameTransform& transform) {
  return Moved(camera, AxesOf([&](Point p) { return OriginalFromModel(transform, p); }));
}

std::vector<std::optional<Camera>> FrameCameras(const SceneGeometry& scene,
                                                const FrameList& frames) {
  std::vector<std::optional<Camera>> out;
  for (size_t i = 0; i < scene.views.size(); ++i) {
    auto& camera = out.emplace_back();
    const auto& view = scene.views[i];
    if (!view) continue;
    camera = ConcernsFrame(*view) ? std::optional(view->camera)
                                  : FrameCamera(view->camera, frames.transforms[i]);
    if (camera && !IsCamera(*camera)) camera.reset();
  }
  return out;
}

std::optional<FrameView> AtFrame(const FrameView& view, const FrameTransform& transform) {
  const bool concerns_frame = ConcernsFrame(view);
  const auto camera =
      concerns_frame ? std::optional(view.camera) : FrameCamera(view.camera, transform);
  if (!camera || !IsCamera(*camera)) return std::nullopt;
  FrameView out;
  out.transform = FrameItself(transform.model_width, transform.model_height);
  out.camera = *camera;
  if (view.depth.z.empty()) return out;
  out.depth.width = transform.model_width;
  out.depth.height = transform.model_height;
  const auto samples = static_cast<size_t>(out.depth.width * out.depth.height);
  out.depth.z.resize(samples);
  if (!view.depth.confidence.empty()) out.depth.confidence.resize(samples);
  for (size_t i = 0; i < samples; ++i) {
    const Point pixel = {static_cast<double>(i % static_cast<size_t>(out.depth.width)) + 0.5,
                         static_cast<double>(i / static_cast<size_t>(out.depth.width)) + 0.5};
    if (!ShowsOriginal(transform, pixel)) continue;
    const Point place = concerns_frame ? pixel : OriginalFromModel(transform, pixel);
    out.depth.z[i] = Known(DepthAt(view, place));
    if (out.depth.z[i] > 0 && !out.depth.confidence.empty()) {
      out.depth.confidence[i] = Known(ConfidenceAt(view, place));
    }
  }
  return out;
}

}  // namespace vggt
