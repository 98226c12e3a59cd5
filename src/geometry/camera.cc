// SPDX-License-Identifier: Apache-2.0
#include "geometry/camera.h"

#include <cmath>

#include "core/error.h"

namespace vggt {
namespace {

Point Distorted(const Camera& camera, Point at) {
  const double r2 = at.x * at.x + at.y * at.y, radial = 1 + r2 * (camera.k1 + r2 * camera.k2);
  return {at.x * radial + 2 * camera.p1 * at.x * at.y + camera.p2 * (r2 + 2 * at.x * at.x),
          at.y * radial + 2 * camera.p2 * at.x * at.y + camera.p1 * (r2 + 2 * at.y * at.y)};
}

double Determinant(const Matrix3& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
         m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

bool IsRotation(const Matrix3& m) {
  constexpr double kTolerance = 1e-3;  // files hold a few digits
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      const double product = m[i][0] * m[j][0] + m[i][1] * m[j][1] + m[i][2] * m[j][2];
      if (!(std::abs(product - (i == j ? 1 : 0)) < kTolerance)) return false;
    }
  }
  return Determinant(m) > 0;
}

}  // namespace

void CheckCamera(const Camera& camera, const std::string& where) {
  for (const double value :
       {camera.fx, camera.fy, camera.cx, camera.cy, camera.k1, camera.k2, camera.p1, camera.p2,
        camera.translation[0], camera.translation[1], camera.translation[2]}) {
    if (!std::isfinite(value)) throw Error("a camera has a value that is no finite number", where);
  }
  if (!(camera.fx > 0 && camera.fy > 0)) {
    throw Error("a camera's focal length is not positive", where);
  }
  if (!IsRotation(camera.rotation)) throw Error("a camera's rotation is no rotation", where);
}

Vector3 CameraFromWorld(const Camera& camera, const Vector3& world) {
  Vector3 out = camera.translation;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out[i] += camera.rotation[i][j] * world[j];
  }
  return out;
}

Vector3 WorldFromCamera(const Camera& camera, const Vector3& in_camera) {
  Vector3 out{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      out[i] += camera.rotation[j][i] * (in_camera[j] - camera.translation[j]);
    }
  }
  return out;
}

std::optional<Point> Project(const Camera& camera, const Vector3& in_camera) {
  if (!(in_camera[2] > 0)) return std::nullopt;
  const Point at = Distorted(camera, {in_camera[0] / in_camera[2], in_camera[1] / in_camera[2]});
  return Point{camera.fx * at.x + camera.cx, camera.fy * at.y + camera.cy};
}

Vector3 Lift(const Camera& camera, Point pixel, double z) {
  const Point seen = {(pixel.x - camera.cx) / camera.fx, (pixel.y - camera.cy) / camera.fy};
  Point at = seen;
  for (int i = 0; i < 100; ++i) {
    const Point moved = Distorted(camera, at);
    if (moved.x == seen.x && moved.y == seen.y) break;
    at = {at.x + seen.x - moved.x, at.y + seen.y - moved.y};
  }
  return {at.x * z, at.y * z, z};
}

}  // namespace vggt
