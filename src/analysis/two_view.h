// SPDX-License-Identifier: Apache-2.0
// Two pictures of one scene: the line on which a point of one lies in the other, and cameras from
// pairs of points (Hartley and Zisserman, Multiple View Geometry, 2nd edition, chapters 9 and 11).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "geometry/camera.h"

namespace vggt {

struct PixelPair {
  Point a, b;  // pixels of two pictures without lens distortion
};

// a x + b y + c = 0, with a² + b² = 1.
struct ImageLine {
  double a = 0, b = 0, c = 0;

  double Distance(Point point) const;
};

// F with bᵀ F a = 0 for all pixels a and b, (x, y, 1), that show one point. Distortion is left out.
// Of cameras that stand at one place it is 0, whatever they show: they need excluding before.
Matrix3 FundamentalOf(const Camera& a, const Camera& b);

// Where F's second picture shows what the first one has at `a`; none at the epipole.
std::optional<ImageLine> EpipolarLine(const Matrix3& fundamental, Point a);

// The first-order distance, in pixels, of a pair from one that fits F exactly (Sampson).
double SampsonError(const Matrix3& fundamental, const PixelPair& pair);

// What the pair would show without lens distortion.
Point Undistorted(const Camera& camera, Point pixel);

struct FundamentalFit {
  Matrix3 fundamental{};
  std::vector<bool> inliers;  // a pair each
  size_t inlier_count = 0;
};

// F from eight pairs and more, by normalised linear least squares, of rank 2. None if the pairs do
// not determine it: fewer than eight, equal points, or points of one plane or line.
std::optional<FundamentalFit> FitFundamental(std::span<const PixelPair> pairs);

// RANSAC: the F of eight pairs drawn at random that most pairs fit to `threshold` pixels (Sampson),
// then fitted to all of these. It ends when with a probability of 0.999 a better one would have
// been drawn, or after `most_draws`. None like FitFundamental, and if fewer than eight fit.
std::optional<FundamentalFit> RansacFundamental(std::span<const PixelPair> pairs, double threshold,
                                                uint64_t seed, int most_draws = 500);

// How b stands to a, of cameras with these intrinsics: of the four poses that E = K_bᵀ F K_a allows
// the one with the most pairs before both cameras. The translation has length 1. None if no pair
// is.
struct RelativePose {
  Matrix3 rotation{};  // X_b = rotation · X_a + translation
  Vector3 translation{};
};
std::optional<RelativePose> PoseFromFundamental(const Matrix3& fundamental, const Camera& a,
                                                const Camera& b, std::span<const PixelPair> pairs);

// The pose that the cameras have; the translation with its length.
RelativePose PoseBetween(const Camera& a, const Camera& b);

// The angle of the turn between two rotations, and between two directions, in degrees. The
// direction of a length of 0 is none: NaN.
double RotationAngle(const Matrix3& a, const Matrix3& b);
double DirectionAngle(const Vector3& a, const Vector3& b);

}  // namespace vggt
