// SPDX-License-Identifier: Apache-2.0
#include "analysis/two_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace vggt {
namespace {

Camera LookingCamera(double x, double turn, double focal) {
  Camera camera;
  camera.fx = focal;
  camera.fy = 1.1 * focal;
  camera.cx = 320;
  camera.cy = 240;
  camera.rotation = {
      {{std::cos(turn), 0, std::sin(turn)}, {0, 1, 0}, {-std::sin(turn), 0, std::cos(turn)}}};
  camera.translation = {-x, 0.1 * x, 4};
  return camera;
}

// `count` points that both cameras see, deep as they are wide; of a plane if `flat`.
std::vector<PixelPair> SeenPairs(const Camera& a, const Camera& b, int count, bool flat = false) {
  std::mt19937 engine(5);
  std::uniform_real_distribution<double> place(-1, 1);
  std::vector<PixelPair> out;
  for (int i = 0; i < count; ++i) {
    const Vector3 world = {place(engine), place(engine), flat ? 0 : place(engine)};
    out.push_back({*Project(a, CameraFromWorld(a, world)), *Project(b, CameraFromWorld(b, world))});
  }
  return out;
}

class TwoViews : public ::testing::Test {
 protected:
  const Camera a_ = LookingCamera(0, 0, 500), b_ = LookingCamera(0.8, 0.2, 450);
};

TEST_F(TwoViews, PointsLieOnTheirLines) {
  const Matrix3 f = FundamentalOf(a_, b_);
  for (const PixelPair& pair : SeenPairs(a_, b_, 50)) {
    const auto line = EpipolarLine(f, pair.a);
    ASSERT_TRUE(line);
    EXPECT_NEAR(line->Distance(pair.b), 0, 1e-9);
    EXPECT_NEAR(line->a * line->a + line->b * line->b, 1, 1e-12);
    EXPECT_NEAR(SampsonError(f, pair), 0, 1e-9);
    const PixelPair off = {pair.a, {pair.b.x + 5 * line->a, pair.b.y + 5 * line->b}};
    EXPECT_NEAR(line->Distance(off.b), 5, 1e-9);
    // Against the formula, written out.
    double in_b[3], in_a[3], product = 0;
    const double p[3] = {off.a.x, off.a.y, 1}, q[3] = {off.b.x, off.b.y, 1};
    for (int i = 0; i < 3; ++i) {
      in_b[i] = f[i][0] * p[0] + f[i][1] * p[1] + f[i][2] * p[2];
      in_a[i] = f[0][i] * q[0] + f[1][i] * q[1] + f[2][i] * q[2];
      product += q[i] * in_b[i];
    }
    const double slow = std::abs(product) / std::sqrt(in_b[0] * in_b[0] + in_b[1] * in_b[1] +
                                                      in_a[0] * in_a[0] + in_a[1] * in_a[1]);
    EXPECT_NEAR(SampsonError(f, off), slow, 1e-12 * slow);
    EXPECT_GT(slow, 2);
    EXPECT_LE(slow, 5);
  }
}

TEST_F(TwoViews, CamerasAtOnePlaceHaveNoLines) {
  Camera turned = a_;
  turned.rotation = b_.rotation;
  for (size_t i = 0; i < 3; ++i) {  // the same centre
    turned.translation[i] = 0;
    for (size_t j = 0; j < 3; ++j) {
      turned.translation[i] -= turned.rotation[i][j] * WorldFromCamera(a_, {0, 0, 0})[j];
    }
  }
  const RelativePose pose = PoseBetween(a_, turned);
  for (const double t : pose.translation) EXPECT_NEAR(t, 0, 1e-12);
  Camera same = a_;
  same.rotation = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  EXPECT_FALSE(EpipolarLine(FundamentalOf(same, same), {10, 20}));
  EXPECT_TRUE(std::isnan(DirectionAngle({0, 0, 0}, {1, 0, 0})));
}

TEST_F(TwoViews, DistortionIsUndone) {
  Camera bent = b_;
  bent.k1 = -0.3;
  bent.p1 = 0.01;
  for (const Vector3 world : {Vector3{0.3, 0.2, 0.5}, {-0.7, 0.4, -0.2}}) {
    const Point seen = *Project(bent, CameraFromWorld(bent, world));
    const Point straight = *Project(b_, CameraFromWorld(b_, world));
    EXPECT_GT(std::hypot(seen.x - straight.x, seen.y - straight.y), 0.05);
    EXPECT_NEAR(Undistorted(bent, seen).x, straight.x, 1e-6);
    EXPECT_NEAR(Undistorted(bent, seen).y, straight.y, 1e-6);
  }
}

TEST_F(TwoViews, FitIsThatOfTheCameras) {
  const auto pairs = SeenPairs(a_, b_, 20);
  const auto fit = FitFundamental(pairs);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->inlier_count, 20U);
  for (const PixelPair& pair : pairs) EXPECT_NEAR(SampsonError(fit->fundamental, pair), 0, 1e-6);
  const auto pose = PoseFromFundamental(fit->fundamental, a_, b_, pairs);
  ASSERT_TRUE(pose);
  const RelativePose known = PoseBetween(a_, b_);
  EXPECT_NEAR(RotationAngle(pose->rotation, known.rotation), 0, 1e-5);
  EXPECT_NEAR(DirectionAngle(pose->translation, known.translation), 0, 1e-5);
}

TEST_F(TwoViews, WhatDoesNotDetermineItHasNoFit) {
  const auto pairs = SeenPairs(a_, b_, 20);
  EXPECT_FALSE(FitFundamental(std::span(pairs).first(7)));
  EXPECT_FALSE(FitFundamental(std::vector<PixelPair>(20, pairs[0])));
  EXPECT_FALSE(FitFundamental(SeenPairs(a_, b_, 20, true)));
  EXPECT_FALSE(RansacFundamental(std::span(pairs).first(7), 1, 1));
  EXPECT_FALSE(RansacFundamental(std::vector<PixelPair>(20, pairs[0]), 1, 1));
  EXPECT_FALSE(PoseFromFundamental(FundamentalOf(a_, b_), a_, b_, {}));
}

TEST_F(TwoViews, RansacLeavesOutWhatDoesNotFit) {
  auto pairs = SeenPairs(a_, b_, 200);
  std::mt19937 engine(9);
  std::uniform_real_distribution<double> place(0, 480), noise(-0.3, 0.3);
  for (size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].b.x += noise(engine);
    pairs[i].b.y += noise(engine);
    if (i % 5 < 2) pairs[i].b = {place(engine), place(engine)};
  }
  const auto fit = RansacFundamental(pairs, 2, 3);
  ASSERT_TRUE(fit);
  size_t kept = 0, wrong = 0;
  std::vector<PixelPair> inliers;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (!fit->inliers[i]) continue;
    inliers.push_back(pairs[i]);
    (i % 5 < 2 ? wrong : kept) += 1;
  }
  EXPECT_EQ(kept, 120U);
  EXPECT_LE(wrong, 4U);  // some lie on their lines by chance
  const auto pose = PoseFromFundamental(fit->fundamental, a_, b_, inliers);
  ASSERT_TRUE(pose);
  const RelativePose known = PoseBetween(a_, b_);
  EXPECT_LT(RotationAngle(pose->rotation, known.rotation), 0.5);
  EXPECT_LT(DirectionAngle(pose->translation, known.translation), 2);
  const auto again = RansacFundamental(pairs, 2, 3);
  EXPECT_EQ(again->fundamental, fit->fundamental);
}

TEST(TwoViewAngles, AreInDegrees) {
  const Matrix3 one = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  const Matrix3 quarter = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
  const Matrix3 half = {{{-1, 0, 0}, {0, -1, 0}, {0, 0, 1}}};
  EXPECT_NEAR(RotationAngle(one, one), 0, 1e-12);
  EXPECT_NEAR(RotationAngle(one, quarter), 90, 1e-12);
  EXPECT_NEAR(RotationAngle(one, half), 180, 1e-6);
  EXPECT_NEAR(DirectionAngle({0, 0, 2}, {0, 3, 0}), 90, 1e-12);
  EXPECT_NEAR(DirectionAngle({0, 0, 2}, {0, 0, -1}), 180, 1e-12);
}

}  // namespace
}  // namespace vggt
