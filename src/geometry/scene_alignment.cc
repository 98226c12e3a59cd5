// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_alignment.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace vggt {
namespace {

constexpr float kLeastDepth = 1e-4F;
constexpr int64_t kLeastPixels = 100;

using RowMatrix = Eigen::Matrix<double, 3, 3, Eigen::RowMajor>;
using MatrixOf = Eigen::Map<const RowMatrix>;
using VectorOf = Eigen::Map<const Eigen::Vector3d>;

// What x times a factor is; 0, not known, where float32 has no such number.
float Scaled(float x, double factor) {
  const auto scaled = static_cast<float>(x * factor);
  return std::isfinite(scaled) ? scaled : 0;
}

}  // namespace

double MedianOf(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<size_t> FirstShared(const SceneGeometry& of, const SceneGeometry& with) {
  for (size_t i = 0; i < std::min(of.views.size(), with.views.size()); ++i) {
    if (of.views[i] && with.views[i]) return i;
  }
  return std::nullopt;
}

std::optional<double> DepthScale(const SceneGeometry& of, const SceneGeometry& with) {
  std::vector<double> scales;
  for (size_t i = 0; i < std::min(of.views.size(), with.views.size()); ++i) {
    if (!of.views[i] || !with.views[i]) continue;
    const std::vector<float>& a = of.views[i]->depth.z;
    const std::vector<float>& b = with.views[i]->depth.z;
    double products = 0, squares = 0;
    int64_t pixels = 0;
    for (size_t p = 0; p < std::min(a.size(), b.size()); ++p) {
      if (!(a[p] > kLeastDepth && b[p] > kLeastDepth)) continue;
      products += double{a[p]} * double{b[p]};
      squares += double{a[p]} * double{a[p]};
      ++pixels;
    }
    if (pixels >= kLeastPixels) scales.push_back(products / squares);
  }
  if (scales.empty()) return std::nullopt;
  return MedianOf(std::move(scales));
}

SceneGeometry AlignScene(SceneGeometry of, const SceneGeometry& with) {
  const auto shared = FirstShared(of, with);
  if (!shared) return of;
  const double scale = DepthScale(of, with).value_or(1);
  const Camera first = of.views[*shared]->camera, wanted = with.views[*shared]->camera;
  for (auto& view : of.views) {
    if (!view) continue;
    Camera& camera = view->camera;
    // From the first camera to this one: that is so in every world.
    const RowMatrix turn =
        MatrixOf(camera.rotation[0].data()) * MatrixOf(first.rotation[0].data()).transpose();
    const RowMatrix rotation = turn * MatrixOf(wanted.rotation[0].data());
    const Eigen::Vector3d translation =
        turn * VectorOf(wanted.translation.data()) +
        scale * (VectorOf(camera.translation.data()) - turn * VectorOf(first.translation.data()));
    std::copy_n(rotation.data(), 9, camera.rotation[0].data());
    std::copy_n(translation.data(), 3, camera.translation.data());
    for (float& z : view->depth.z) z = Scaled(z, scale);
  }
  return of;
}

}  // namespace vggt
