// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_lens.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "geometry/frame_view.h"
#include "geometry/scene_alignment.h"
#include "geometry_testing.h"

namespace vggt {
namespace {

using ::testing::IsNan;
using testing::PlainFrames;
using testing::PlaneCamera;

using Quaternion = std::array<double, 4>;  // x, y, z, w

Matrix3 MatrixOfQuaternion(const Quaternion& q) {
  const auto [x, y, z, w] = q;
  return {{{1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)},
           {2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)},
           {2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)}}};
}

Quaternion Product(const Quaternion& a, const Quaternion& b) {
  return {a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1],
          a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0],
          a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3],
          a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2]};
}

Quaternion Conjugate(const Quaternion& q) { return {-q[0], -q[1], -q[2], q[3]}; }

// Random poses, focal lengths and depths, and the turns as quaternions for the slow twin.
struct RandomScene {
  explicit RandomScene(unsigned seed, size_t count = 5) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    const FrameList frames = PlainFrames(static_cast<int64_t>(count), 1, 2);
    for (size_t i = 0; i < count; ++i) {
      Quaternion q = {0.3 * normal(random), 0.3 * normal(random), 0.3 * normal(random), 1};
      const double length = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
      for (double& each : q) each /= length;
      turns.push_back(q);
      FrameView view;
      view.transform = FrameItself(28, 14);
      view.camera = PlaneCamera(normal(random), normal(random), 2, 20, frames);
      view.camera.fx = 20 + std::abs(normal(random));
      view.camera.fy = 20 + std::abs(normal(random));
      view.camera.rotation = MatrixOfQuaternion(q);
      view.depth = {28, 14, {}, {}};
      for (int p = 0; p < 392; ++p) {
        const double z = 3 + normal(random);
        view.depth.z.push_back(z > 1 ? static_cast<float>(z) : 0);
      }
      scene.views.emplace_back(std::move(view));
    }
  }

  SceneGeometry scene;
  std::vector<Quaternion> turns;
};

double Degrees(double radians) { return radians * 180 / std::numbers::pi; }

// From the first camera to camera i, written out.
Vector3 SlowTranslation(const RandomScene& of, size_t i) {
  const Camera &first = of.scene.views[0]->camera, &camera = of.scene.views[i]->camera;
  const Matrix3 turn = MatrixOfQuaternion(Product(of.turns[i], Conjugate(of.turns[0])));
  Vector3 out = camera.translation;
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) out[r] -= turn[r][c] * first.translation[c];
  }
  return out;
}

double SlowAngle(const Vector3& a, const Vector3& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < 3; ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return Degrees(std::acos(dot / std::sqrt(aa * bb)));
}

// Two passes over the pixels that both know.
struct SlowDepth {
  SlowDepth(const FrameView& of, const FrameView& with, double scale) {
    std::vector<double> a, b;
    for (size_t p = 0; p < of.depth.z.size(); ++p) {
      if (of.depth.z[p] <= 1e-4F || with.depth.z[p] <= 1e-4F) continue;
      a.push_back(of.depth.z[p]);
      b.push_back(with.depth.z[p]);
    }
    const auto n = static_cast<double>(a.size());
    double mean_a = 0, mean_b = 0;
    for (size_t p = 0; p < a.size(); ++p) {
      error += std::abs(scale * a[p] - b[p]) / b[p] / n;
      mean_a += a[p] / n;
      mean_b += b[p] / n;
    }
    double ab = 0, aa = 0, bb = 0;
    for (size_t p = 0; p < a.size(); ++p) {
      ab += (a[p] - mean_a) * (b[p] - mean_b);
      aa += (a[p] - mean_a) * (a[p] - mean_a);
      bb += (b[p] - mean_b) * (b[p] - mean_b);
    }
    correlation = ab / std::sqrt(aa * bb);
  }
  double error = 0, correlation = 0;
};

TEST(LayerLens, IsWhatASlowTwinComputes) {
  const RandomScene a(1), b(2);
  const LensErrors got = CompareScenes(a.scene, b.scene);
  EXPECT_EQ(got.scale, *DepthScale(a.scene, b.scene));
  ASSERT_EQ(got.frames.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    const LensNumbers& numbers = got.frames[i];
    const Camera &x = a.scene.views[i]->camera, &y = b.scene.views[i]->camera;
    EXPECT_NEAR(numbers.of(LensMetric::kFocal), std::sqrt(x.fx * x.fy / (y.fx * y.fy)), 1e-12);
    const SlowDepth depth(*a.scene.views[i], *b.scene.views[i], got.scale);
    EXPECT_NEAR(numbers.of(LensMetric::kDepth), depth.error, 1e-12);
    EXPECT_NEAR(numbers.of(LensMetric::kCorrelation), depth.correlation, 1e-12);
    if (i == 0) {
      EXPECT_THAT(numbers.of(LensMetric::kRotation), IsNan());
      EXPECT_THAT(numbers.of(LensMetric::kTranslation), IsNan());
      continue;
    }
    const Quaternion between = Product(Conjugate(Product(a.turns[i], Conjugate(a.turns[0]))),
                                       Product(b.turns[i], Conjugate(b.turns[0])));
    EXPECT_NEAR(numbers.of(LensMetric::kRotation),
                Degrees(2 * std::acos(std::min(1.0, std::abs(between[3])))), 1e-9);
    EXPECT_NEAR(numbers.of(LensMetric::kTranslation),
                SlowAngle(SlowTranslation(a, i), SlowTranslation(b, i)), 1e-9);
  }
}

TEST(LayerLens, HasMediansAndQuartiles) {
  const LensErrors got = CompareScenes(RandomScene(1).scene, RandomScene(2).scene);
  std::vector<double> focal, turns;
  for (const LensNumbers& numbers : got.frames) {
    focal.push_back(numbers.of(LensMetric::kFocal));
    turns.push_back(numbers.of(LensMetric::kRotation));
  }
  std::ranges::sort(focal);
  EXPECT_EQ(got.low.of(LensMetric::kFocal), focal[1]);
  EXPECT_EQ(got.median.of(LensMetric::kFocal), focal[2]);
  EXPECT_EQ(got.high.of(LensMetric::kFocal), focal[3]);
  turns.erase(turns.begin());  // the first frame has none
  std::ranges::sort(turns);
  EXPECT_NEAR(got.median.of(LensMetric::kRotation), (turns[1] + turns[2]) / 2, 1e-12);
  EXPECT_NEAR(got.low.of(LensMetric::kRotation), turns[0] + 0.75 * (turns[1] - turns[0]), 1e-12);
}

// The same scene in another world, at another scale.
TEST(LayerLens, DoesNotSeeTheWorld) {
  const SceneGeometry scene = RandomScene(1).scene;
  SceneGeometry other = RandomScene(2).scene;
  other = AlignScene(scene, other);
  const LensErrors same = CompareScenes(scene, scene), moved = CompareScenes(other, scene);
  for (const LensErrors* errors : {&same, &moved}) {
    EXPECT_NEAR(errors->high.of(LensMetric::kRotation), 0, 1e-9);
    EXPECT_NEAR(errors->high.of(LensMetric::kTranslation), 0, 1e-9);
    EXPECT_NEAR(errors->high.of(LensMetric::kFocal), 1, 1e-12);
    EXPECT_NEAR(errors->high.of(LensMetric::kDepth), 0, 1e-6);
    EXPECT_NEAR(errors->low.of(LensMetric::kCorrelation), 1, 1e-6);
  }
  EXPECT_EQ(same.high.of(LensMetric::kDepth), 0);
  EXPECT_EQ(same.scale, 1);
}

TEST(LayerLens, LeavesOutWhatOneOfBothLacks) {
  SceneGeometry a = RandomScene(1).scene;
  SceneGeometry b = RandomScene(2).scene;
  a.views[0].reset();
  b.views[3].reset();
  b.views[2]->depth = {};
  std::fill(b.views[4]->depth.z.begin(), b.views[4]->depth.z.end(), 2.0F);
  const LensErrors got = CompareScenes(a, b);
  EXPECT_THAT(got.frames[0].of(LensMetric::kFocal), IsNan());
  EXPECT_THAT(got.frames[1].of(LensMetric::kRotation), IsNan());  // the first that both have
  EXPECT_GT(got.frames[2].of(LensMetric::kRotation), 0);
  EXPECT_THAT(got.frames[2].of(LensMetric::kDepth), IsNan());
  EXPECT_THAT(got.frames[3].of(LensMetric::kFocal), IsNan());
  EXPECT_GT(got.frames[4].of(LensMetric::kDepth), 0);
  EXPECT_THAT(got.frames[4].of(LensMetric::kCorrelation), IsNan());  // of a constant
  for (auto& view : a.views) view.reset();
  EXPECT_THAT(CompareScenes(a, b).median.of(LensMetric::kFocal), IsNan());
  EXPECT_THAT(CompareScenes(a, b).scale, IsNan());
}

}  // namespace
}  // namespace vggt
