// SPDX-License-Identifier: Apache-2.0
// A pinhole camera with the lens distortion of OpenCV: from points of the world to pixels and back.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/frame_transform.h"

namespace vggt {

using Vector3 = std::array<double, 3>;
using Matrix3 = std::array<Vector3, 3>;  // row after row

// OpenCV's convention: x to the right, y down, z forward. Pixels are continuous coordinates from
// the picture's upper left corner, the centre of the first pixel at (0.5, 0.5), as COLMAP has them
// (https://colmap.github.io); programs with pixel centres at whole numbers have a principal point
// that is smaller by 0.5.
struct Camera {
  double fx = 1, fy = 1, cx = 0, cy = 0;  // pixels
  // Radial and tangential distortion of OpenCV and COLMAP: (x, y), the point at depth 1, is moved
  // to x (1 + k1 r² + k2 r⁴) + 2 p1 x y + p2 (r² + 2 x²), and y alike with p1 and p2 exchanged.
  double k1 = 0, k2 = 0, p1 = 0, p2 = 0;
  // A point X of the world is at rotation · X + translation in the camera.
  Matrix3 rotation = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  Vector3 translation = {0, 0, 0};
};

// Throws Error naming `where` unless all numbers are finite, the focal lengths positive, and the
// rotation is one, to 1e-3.
void CheckCamera(const Camera& camera, const std::string& where);

Vector3 CameraFromWorld(const Camera& camera, const Vector3& world);
Vector3 WorldFromCamera(const Camera& camera, const Vector3& in_camera);

// The pixel of a point given in the camera's coordinates; none if it is not before the camera.
std::optional<Point> Project(const Camera& camera, const Vector3& in_camera);

// The point, in the camera's coordinates, that is seen at `pixel` and has this z. Distortion is
// undone by iterating, which is exact to 1e-9 where distortion moves points by less than a quarter
// of their distance from the principal point.
Vector3 Lift(const Camera& camera, Point pixel, double z);

}  // namespace vggt
