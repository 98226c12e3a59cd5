// SPDX-License-Identifier: Apache-2.0
#include "analysis/two_view.h"

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace vggt {
namespace {

constexpr size_t kLeastPairs = 8;
constexpr double kSureness = 0.999;
// Of the singular values of the design matrix, normalised, the eighth: below it pairs leave more
// than one F open.
constexpr double kLeastDetermined = 1e-6;
constexpr double kDegrees = 180 / 3.14159265358979323846;

Eigen::Matrix3d ToEigen(const Matrix3& m) {
  Eigen::Matrix3d out;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out(i, j) = m[static_cast<size_t>(i)][static_cast<size_t>(j)];
  }
  return out;
}

Matrix3 FromEigen(const Eigen::Matrix3d& m) {
  Matrix3 out{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out[static_cast<size_t>(i)][static_cast<size_t>(j)] = m(i, j);
  }
  return out;
}

Eigen::Vector3d Homogeneous(Point p) { return {p.x, p.y, 1}; }

Eigen::Matrix3d Intrinsics(const Camera& camera) {
  Eigen::Matrix3d k;
  k << camera.fx, 0, camera.cx, 0, camera.fy, camera.cy, 0, 0, 1;
  return k;
}

Eigen::Matrix3d CrossMatrix(const Eigen::Vector3d& t) {
  Eigen::Matrix3d out;
  out << 0, -t.z(), t.y(), t.z(), 0, -t.x(), -t.y(), t.x(), 0;
  return out;
}

// Moves points to their mean and scales them to a mean distance of √2 from it.
struct Normalisation {
  double x = 0, y = 0, scale = 0;

  Eigen::Matrix3d matrix() const {
    Eigen::Matrix3d out;
    out << scale, 0, -scale * x, 0, scale, -scale * y, 0, 0, 1;
    return out;
  }
};

Normalisation NormalisationOf(std::span<const PixelPair> pairs, Point PixelPair::*side) {
  Normalisation out;
  const auto count = static_cast<double>(pairs.size());
  for (const PixelPair& pair : pairs) {
    out.x += (pair.*side).x / count;
    out.y += (pair.*side).y / count;
  }
  double distance = 0;
  for (const PixelPair& pair : pairs) {
    distance += std::hypot((pair.*side).x - out.x, (pair.*side).y - out.y) / count;
  }
  out.scale = distance > 0 ? std::sqrt(2.0) / distance : 0;
  return out;
}

std::optional<Matrix3> SolveFundamental(std::span<const PixelPair> pairs) {
  if (pairs.size() < kLeastPairs) return std::nullopt;
  const Normalisation a = NormalisationOf(pairs, &PixelPair::a);
  const Normalisation b = NormalisationOf(pairs, &PixelPair::b);
  if (!(a.scale > 0 && b.scale > 0)) return std::nullopt;
  Eigen::Matrix<double, 9, 9> normal = Eigen::Matrix<double, 9, 9>::Zero();
  for (const PixelPair& pair : pairs) {
    const double ax = a.scale * (pair.a.x - a.x), ay = a.scale * (pair.a.y - a.y);
    const double bx = b.scale * (pair.b.x - b.x), by = b.scale * (pair.b.y - b.y);
    Eigen::Matrix<double, 9, 1> row;
    row << bx * ax, bx * ay, bx, by * ax, by * ay, by, ax, ay, 1;
    normal += row * row.transpose() / static_cast<double>(pairs.size());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix<double, 9, 9>> solver(normal);
  if (!(solver.eigenvalues()[1] > kLeastDetermined * kLeastDetermined)) return std::nullopt;
  const Eigen::Matrix<double, 9, 1> f = solver.eigenvectors().col(0);
  Eigen::Matrix3d fundamental;
  fundamental << f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8];
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(fundamental,
                                              Eigen::ComputeFullU | Eigen::ComputeFullV);
  Eigen::Vector3d values = svd.singularValues();
  values[2] = 0;
  fundamental = svd.matrixU() * values.asDiagonal() * svd.matrixV().transpose();
  fundamental = b.matrix().transpose() * fundamental * a.matrix();
  const double norm = fundamental.norm();
  if (!(norm > 0 && std::isfinite(norm))) return std::nullopt;
  return FromEigen(fundamental / norm);
}

FundamentalFit InliersOf(const Matrix3& fundamental, std::span<const PixelPair> pairs,
                         double threshold) {
  FundamentalFit fit{fundamental, std::vector<bool>(pairs.size()), 0};
  for (size_t i = 0; i < pairs.size(); ++i) {
    fit.inliers[i] = SampsonError(fundamental, pairs[i]) <= threshold;
    fit.inlier_count += fit.inliers[i] ? 1 : 0;
  }
  return fit;
}

std::vector<PixelPair> Fitting(std::span<const PixelPair> pairs, const FundamentalFit& fit) {
  std::vector<PixelPair> out;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (fit.inliers[i]) out.push_back(pairs[i]);
  }
  return out;
}

// Eight different places in [0, count).
std::array<size_t, kLeastPairs> DrawEight(size_t count, std::mt19937_64& random) {
  std::array<size_t, kLeastPairs> out{};
  for (size_t i = 0; i < kLeastPairs; ++i) {
    do {
      out[i] = random() % count;
    } while (std::find(out.begin(), out.begin() + i, out[i]) != out.begin() + i);
  }
  return out;
}

// Whether the point that both rays come nearest to lies before both cameras.
bool IsBefore(const Eigen::Matrix3d& rotation, const Eigen::Vector3d& translation,
              const Eigen::Vector3d& ray_a, const Eigen::Vector3d& ray_b) {
  // za · R ray_a + t = zb · ray_b, by least squares.
  Eigen::Matrix<double, 3, 2> rays;
  rays.col(0) = rotation * ray_a;
  rays.col(1) = -ray_b;
  const Eigen::Matrix2d normal = rays.transpose() * rays;
  if (!(std::abs(normal.determinant()) > 1e-12)) return false;
  const Eigen::Vector2d depths = normal.inverse() * (rays.transpose() * -translation);
  return depths[0] > 0 && depths[1] > 0;
}

}  // namespace

double ImageLine::Distance(Point point) const { return std::abs(a * point.x + b * point.y + c); }

RelativePose PoseBetween(const Camera& a, const Camera& b) {
  const Eigen::Matrix3d rotation = ToEigen(b.rotation) * ToEigen(a.rotation).transpose();
  const Eigen::Vector3d t =
      Eigen::Vector3d(b.translation.data()) - rotation * Eigen::Vector3d(a.translation.data());
  return {FromEigen(rotation), {t.x(), t.y(), t.z()}};
}

Matrix3 FundamentalOf(const Camera& a, const Camera& b) {
  const RelativePose pose = PoseBetween(a, b);
  const Eigen::Vector3d t(pose.translation.data());
  return FromEigen(Intrinsics(b).inverse().transpose() * CrossMatrix(t) * ToEigen(pose.rotation) *
                   Intrinsics(a).inverse());
}

std::optional<ImageLine> EpipolarLine(const Matrix3& fundamental, Point a) {
  const Eigen::Vector3d line = ToEigen(fundamental) * Homogeneous(a);
  const double norm = std::hypot(line.x(), line.y());
  if (!(norm > 0 && std::isfinite(norm))) return std::nullopt;
  return ImageLine{line.x() / norm, line.y() / norm, line.z() / norm};
}

double SampsonError(const Matrix3& fundamental, const PixelPair& pair) {
  const Eigen::Matrix3d f = ToEigen(fundamental);
  const Eigen::Vector3d in_b = f * Homogeneous(pair.a);
  const Eigen::Vector3d in_a = f.transpose() * Homogeneous(pair.b);
  const double off = Homogeneous(pair.b).dot(in_b);
  const double slope = in_b.head<2>().squaredNorm() + in_a.head<2>().squaredNorm();
  return slope > 0 ? std::abs(off) / std::sqrt(slope) : std::numeric_limits<double>::infinity();
}

Point Undistorted(const Camera& camera, Point pixel) {
  const Vector3 at = Lift(camera, pixel, 1);
  return {camera.fx * at[0] + camera.cx, camera.fy * at[1] + camera.cy};
}

std::optional<FundamentalFit> FitFundamental(std::span<const PixelPair> pairs) {
  const std::optional<Matrix3> fundamental = SolveFundamental(pairs);
  if (!fundamental) return std::nullopt;
  return InliersOf(*fundamental, pairs, std::numeric_limits<double>::infinity());
}

std::optional<FundamentalFit> RansacFundamental(std::span<const PixelPair> pairs, double threshold,
                                                uint64_t seed, int most_draws) {
  if (pairs.size() < kLeastPairs) return std::nullopt;
  std::mt19937_64 random(seed);
  FundamentalFit best;
  double draws = most_draws;
  for (int draw = 0; draw < draws; ++draw) {
    std::array<PixelPair, kLeastPairs> drawn{};
    const auto places = DrawEight(pairs.size(), random);
    std::transform(places.begin(), places.end(), drawn.begin(),
                   [&](size_t place) { return pairs[place]; });
    const std::optional<Matrix3> fundamental = SolveFundamental(drawn);
    if (!fundamental) continue;
    FundamentalFit fit = InliersOf(*fundamental, pairs, threshold);
    if (fit.inlier_count <= best.inlier_count) continue;
    best = std::move(fit);
    const double share = static_cast<double>(best.inlier_count) / static_cast<double>(pairs.size());
    const double all_fit = std::pow(share, static_cast<double>(kLeastPairs));
    if (all_fit >= 1) break;
    draws = std::min<double>(most_draws, std::log(1 - kSureness) / std::log1p(-all_fit));
  }
  if (best.inlier_count < kLeastPairs) return std::nullopt;
  const std::optional<Matrix3> refined = SolveFundamental(Fitting(pairs, best));
  if (!refined) return std::nullopt;
  FundamentalFit fit = InliersOf(*refined, pairs, threshold);
  return fit.inlier_count >= best.inlier_count ? fit : best;
}

std::optional<RelativePose> PoseFromFundamental(const Matrix3& fundamental, const Camera& a,
                                                const Camera& b, std::span<const PixelPair> pairs) {
  const Eigen::Matrix3d essential =
      Intrinsics(b).transpose() * ToEigen(fundamental) * Intrinsics(a);
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(essential, Eigen::ComputeFullU | Eigen::ComputeFullV);
  Eigen::Matrix3d u = svd.matrixU(), v = svd.matrixV();
  if (u.determinant() < 0) u = -u;
  if (v.determinant() < 0) v = -v;
  Eigen::Matrix3d quarter;
  quarter << 0, -1, 0, 1, 0, 0, 0, 0, 1;
  const Eigen::Matrix3d in_a = Intrinsics(a).inverse(), in_b = Intrinsics(b).inverse();
  size_t most = 0;
  std::optional<RelativePose> best;
  for (const Eigen::Matrix3d& turn : {quarter, Eigen::Matrix3d(quarter.transpose())}) {
    const Eigen::Matrix3d rotation = u * turn * v.transpose();
    for (const double sign : {1.0, -1.0}) {
      const Eigen::Vector3d translation = sign * u.col(2);
      size_t before = 0;
      for (const PixelPair& pair : pairs) {
        before +=
            IsBefore(rotation, translation, in_a * Homogeneous(pair.a), in_b * Homogeneous(pair.b))
                ? 1
                : 0;
      }
      if (before <= most) continue;
      most = before;
      best = RelativePose{FromEigen(rotation), {translation.x(), translation.y(), translation.z()}};
    }
  }
  return best;
}

double RotationAngle(const Matrix3& a, const Matrix3& b) {
  const Eigen::Matrix3d between = ToEigen(a).transpose() * ToEigen(b);
  // The sine is exact where the angle is small, which the cosine is not.
  const Eigen::Vector3d axis(between(2, 1) - between(1, 2), between(0, 2) - between(2, 0),
                             between(1, 0) - between(0, 1));
  return kDegrees * std::atan2(axis.norm() / 2, (between.trace() - 1) / 2);
}

double DirectionAngle(const Vector3& a, const Vector3& b) {
  const Eigen::Vector3d u(a.data()), v(b.data());
  if (!(u.norm() > 0 && v.norm() > 0)) return std::numeric_limits<double>::quiet_NaN();
  return kDegrees * std::atan2(u.cross(v).norm(), u.dot(v));
}

}  // namespace vggt
