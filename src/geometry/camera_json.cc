// SPDX-License-Identifier: Apache-2.0
#include "geometry/camera_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "core/error.h"

namespace vggt {
namespace {

constexpr double kHalfPixel = 0.5;  // from centres at whole numbers to those of Camera

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

}  // namespace

void AddCamera(const Camera& camera, OrderedJson& json) {
  json["K"] = Matrix3{
      {{camera.fx, 0, camera.cx - kHalfPixel}, {0, camera.fy, camera.cy - kHalfPixel}, {0, 0, 1}}};
  const std::array<double, 4> distortion = {camera.k1, camera.k2, camera.p1, camera.p2};
  if (distortion != std::array<double, 4>{}) json["distortion"] = distortion;
  json["R"] = camera.rotation;
  json["t"] = camera.translation;
}

Camera ParseCamera(const Json& json, const Json& shared, const std::string& source) {
  const auto holder = [&](const char* key) -> const Json& {
    return HasJson(json, key) ? json : shared;
  };
  const Matrix3 k = Matrix(holder("K"), "K", source);
  if (k[0][1] != 0 || k[1][0] != 0 || k[2] != Vector3{0, 0, 1}) {
    throw Error("'K' is not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]", source);
  }
  Camera camera;
  camera.fx = k[0][0];
  camera.fy = k[1][1];
  camera.cx = k[0][2] + kHalfPixel;
  camera.cy = k[1][2] + kHalfPixel;
  if (HasJson(holder("distortion"), "distortion")) {
    const std::vector<double> by = Numbers(holder("distortion"), "distortion", 4, source);
    camera.k1 = by[0];
    camera.k2 = by[1];
    camera.p1 = by[2];
    camera.p2 = by[3];
  }
  camera.rotation = Matrix(json, "R", source);
  const std::vector<double> t = Numbers(json, "t", 3, source);
  std::copy(t.begin(), t.end(), camera.translation.begin());
  CheckCamera(camera, source);
  return camera;
}

}  // namespace vggt
