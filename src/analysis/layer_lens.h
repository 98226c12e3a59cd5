// SPDX-License-Identifier: Apache-2.0
// How far cameras and depth are from others of the same frames: what prediction heads make of the
// tokens after a layer held against what they make of the last one's (the "layer lens" of
// soskek/understand_vggt), or against what is known of the scene.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "geometry/scene_geometry.h"

namespace vggt {

// Poses are those from the first frame of which both have a camera, so that no world matters, and
// depth is compared after the one factor of geometry/scene_alignment.h.
enum class LensMetric { kRotation, kTranslation, kFocal, kDepth, kCorrelation };
inline constexpr size_t kLensMetrics = 5;

struct LensMetricInfo {
  LensMetric metric;
  const char* name;   // in tables: "rotation_error"
  const char* label;  // "rotation error"
  const char* unit;
  const char* definition;
};
// All of them, in the order of the enumeration.
std::span<const LensMetricInfo, kLensMetrics> LensMetrics();

// Numbers by LensMetric; NaN where one means nothing.
struct LensNumbers : std::array<double, kLensMetrics> {
  LensNumbers() { fill(std::numeric_limits<double>::quiet_NaN()); }
  double& of(LensMetric metric) { return (*this)[static_cast<size_t>(metric)]; }
  double of(LensMetric metric) const { return (*this)[static_cast<size_t>(metric)]; }
};

struct LensErrors {
  // What depths were multiplied with; NaN if no frame has depth in both.
  double scale = std::numeric_limits<double>::quiet_NaN();
  std::vector<LensNumbers> frames;
  LensNumbers median, low, high;  // over the frames that have a number; low and high: quartiles
};

// Views of both concern the frames themselves (AtFrame), as many in both. On all threads; the
// result does not depend on their number.
LensErrors CompareScenes(const SceneGeometry& of, const SceneGeometry& with);

}  // namespace vggt
