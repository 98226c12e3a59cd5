// SPDX-License-Identifier: Apache-2.0
#include "geometry/point_cloud.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>

#include "geometry/camera.h"
#include "geometry/frame_cells.h"

namespace vggt {
namespace {

// Chooses `most` of `count` things that are asked for one after another, each choice of them
// equally likely (Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S).
class Selection {
 public:
  Selection(int64_t count, int64_t most)
      : left_(static_cast<uint64_t>(count)),
        wanted_(static_cast<uint64_t>(std::max<int64_t>(most, 0))) {}

  bool Next() {
    const bool taken = wanted_ >= left_ || random_() % left_ < wanted_;
    --left_;
    if (taken) --wanted_;
    return taken;
  }

 private:
  uint64_t left_, wanted_;
  std::mt19937_64 random_{};
};

bool IsFinite(const std::array<float, 3>& position) {
  return std::isfinite(position[0]) && std::isfinite(position[1]) && std::isfinite(position[2]);
}

bool IsAtLeast(const DepthMap& depth, size_t pixel, float least_confidence) {
  return depth.z[pixel] > 0 &&
         (depth.confidence.empty() || depth.confidence[pixel] >= least_confidence);
}

}  // namespace

PointCloud MakePointCloud(const SceneGeometry& scene, const FrameList& frames,
                          std::span<const uint8_t> rgb, double percentile, int64_t most) {
  PointCloud cloud;
  std::vector<float> confidences;
  for (const auto& view : scene.views) {
    if (!view) continue;
    for (size_t i = 0; i < view->depth.z.size(); ++i) {
      if (!(view->depth.z[i] > 0)) continue;
      ++cloud.known;
      if (!view->depth.confidence.empty()) confidences.push_back(view->depth.confidence[i]);
    }
  }
  if (!confidences.empty()) {
    const double rank = std::ceil(percentile / 100 * static_cast<double>(confidences.size()));
    const auto at =
        confidences.begin() + static_cast<std::ptrdiff_t>(std::clamp(
                                  rank - 1, 0.0, static_cast<double>(confidences.size() - 1)));
    std::nth_element(confidences.begin(), at, confidences.end());
    cloud.least_confidence = *at;
  }
  int64_t count = 0;
  for (const auto& view : scene.views) {
    for (size_t i = 0; view && i < view->depth.z.size(); ++i) {
      count += IsAtLeast(view->depth, i, cloud.least_confidence) ? 1 : 0;
    }
  }

  Selection selection(count, most);
  cloud.points.reserve(static_cast<size_t>(std::min(count, std::max<int64_t>(most, 0))));
  for (size_t frame = 0; frame < scene.views.size(); ++frame) {
    const auto& view = scene.views[frame];
    if (!view || view->depth.z.empty()) continue;
    const FrameCells cells(frames);
    const auto width = static_cast<size_t>(view->depth.width), pixels = view->depth.z.size();
    for (size_t i = 0; i < pixels; ++i) {
      if (!IsAtLeast(view->depth, i, cloud.least_confidence) || !selection.Next()) continue;
      const Point centre = {static_cast<double>(i % width) + 0.5,
                            static_cast<double>(i / width) + 0.5};
      const Vector3 world =
          WorldFromCamera(view->camera, Lift(view->camera, centre, view->depth.z[i]));
      CloudPoint point;
      for (size_t k = 0; k < 3; ++k) {
        point.position[k] = static_cast<float>(world[k]);
        point.colour[k] = rgb[3 * (frame * pixels + i) + k];
      }
      if (!IsFinite(point.position)) continue;
      if (!view->depth.confidence.empty()) point.confidence = view->depth.confidence[i];
      point.frame = static_cast<int32_t>(frame);
      point.x = static_cast<int32_t>(i % width);
      point.y = static_cast<int32_t>(i / width);
      point.patch = static_cast<int32_t>(cells.PatchAt(centre));
      cloud.points.push_back(point);
    }
  }
  return cloud;
}

std::vector<CloudPoint> SomePoints(std::span<const CloudPoint> points, int64_t most) {
  Selection selection(std::ssize(points), most);
  std::vector<CloudPoint> out;
  for (const CloudPoint& point : points) {
    if (selection.Next()) out.push_back(point);
  }
  return out;
}

}  // namespace vggt
