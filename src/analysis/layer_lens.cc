// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_lens.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "analysis/two_view.h"
#include "core/parallel.h"
#include "geometry/scene_alignment.h"

namespace vggt {
namespace {

constexpr LensMetricInfo kLensMetricInfos[] = {
    {LensMetric::kRotation, "rotation_error", "rotation error", "degrees",
     "Angle between the turns from the first frame's camera to this one's; empty of that frame."},
    {LensMetric::kTranslation, "translation_error", "error of the translation's direction",
     "degrees",
     "Angle between the directions in which, seen from this camera, the first frame's stands; "
     "empty of that frame and where both stand at one place."},
    {LensMetric::kFocal, "focal_ratio", "focal length", "ratio",
     "√(fx fy) divided by that of the camera it is held against."},
    {LensMetric::kDepth, "depth_error", "depth error (AbsRel)", "share",
     "Mean of |s d − d'| / d' over the pixels where both depths are above 0.0001. s is one factor "
     "for all frames, the median of each frame's Σ d d' / Σ d²."},
    {LensMetric::kCorrelation, "depth_correlation", "correlation of depth", "",
     "Pearson's, of d and d' over the same pixels."},
};

constexpr float kLeastDepthKnown = 1e-4F;

// numpy.quantile; NaN of none.
double QuantileOf(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void CompareDepths(const std::vector<float>& of, const std::vector<float>& with, double scale,
                   LensNumbers& out) {
  double count = 0, errors = 0;
  double mean_of = 0, mean_with = 0, squares_of = 0, squares_with = 0, products = 0;
  for (size_t p = 0; p < std::min(of.size(), with.size()); ++p) {
    if (!(of[p] > kLeastDepthKnown && with[p] > kLeastDepthKnown)) continue;
    const double a = double{of[p]} * scale, b = double{with[p]};
    errors += std::abs(a - b) / b;
    // Welford's running sums do not cancel where depth hardly changes.
    count += 1;
    const double from_a = a - mean_of, from_b = b - mean_with;
    mean_of += from_a / count;
    mean_with += from_b / count;
    squares_of += from_a * (a - mean_of);
    squares_with += from_b * (b - mean_with);
    products += from_a * (b - mean_with);
  }
  if (count == 0) return;
  out.of(LensMetric::kDepth) = errors / count;
  if (squares_of > 0 && squares_with > 0) {
    out.of(LensMetric::kCorrelation) =
        std::clamp(products / std::sqrt(squares_of) / std::sqrt(squares_with), -1.0, 1.0);
  }
}

double FocalOf(const Camera& camera) { return std::sqrt(camera.fx * camera.fy); }

}  // namespace

std::span<const LensMetricInfo, kLensMetrics> LensMetrics() { return kLensMetricInfos; }

LensErrors CompareScenes(const SceneGeometry& of, const SceneGeometry& with) {
  LensErrors out;
  out.frames.resize(of.views.size());
  const auto first = FirstShared(of, with);
  const auto scale = DepthScale(of, with);
  if (scale) out.scale = *scale;
  ParallelFor(of.views.size(), 1, [&](size_t i) {
    if (!of.views[i] || !with.views[i]) return;
    const Camera &a = of.views[i]->camera, &b = with.views[i]->camera;
    LensNumbers& numbers = out.frames[i];
    numbers.of(LensMetric::kFocal) = FocalOf(a) / FocalOf(b);
    if (i != *first) {
      const RelativePose pose_a = PoseBetween(of.views[*first]->camera, a);
      const RelativePose pose_b = PoseBetween(with.views[*first]->camera, b);
      numbers.of(LensMetric::kRotation) = RotationAngle(pose_a.rotation, pose_b.rotation);
      numbers.of(LensMetric::kTranslation) = DirectionAngle(pose_a.translation, pose_b.translation);
    }
    if (scale) {
      CompareDepths(of.views[i]->depth.z, with.views[i]->depth.z, *scale, numbers);
    }
  });
  for (size_t metric = 0; metric < kLensMetrics; ++metric) {
    std::vector<double> values;
    for (const LensNumbers& numbers : out.frames) {
      if (!std::isnan(numbers[metric])) values.push_back(numbers[metric]);
    }
    std::ranges::sort(values);
    out.median[metric] = QuantileOf(values, 0.5);
    out.low[metric] = QuantileOf(values, 0.25);
    out.high[metric] = QuantileOf(values, 0.75);
  }
  return out;
}

}  // namespace vggt
