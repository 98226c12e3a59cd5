// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_geometry.h"

#include <algorithm>
#include <cmath>

namespace vggt {
namespace {

double SampleAt(const FrameView& view, const std::vector<float>& samples, Point place) {
  const auto width = static_cast<double>(view.depth.width);
  const auto height = static_cast<double>(view.depth.height);
  const double column = std::floor(place.x * width / view.transform.original_width);
  const double row = std::floor(place.y * height / view.transform.original_height);
  if (!(column >= 0 && row >= 0 && column < width && row < height)) return 0;
  return samples[static_cast<size_t>(row * width + column)];
}

}  // namespace

bool HasDepth(const SceneGeometry& geometry) {
  return std::any_of(geometry.views.begin(), geometry.views.end(),
                     [](const auto& view) { return view && !view->depth.z.empty(); });
}

double DepthAt(const FrameView& view, Point place) { return SampleAt(view, view.depth.z, place); }

double ConfidenceAt(const FrameView& view, Point place) {
  return SampleAt(view, view.depth.confidence, place);
}

}  // namespace vggt
