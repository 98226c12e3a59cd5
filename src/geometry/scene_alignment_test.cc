// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_alignment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "geometry/frame_view.h"
#include "geometry_testing.h"

namespace vggt {
namespace {

using testing::PlainFrames;
using testing::PlaneCamera;

// A turn about the y axis.
Matrix3 TurnOf(double angle) {
  return {
      {{std::cos(angle), 0, std::sin(angle)}, {0, 1, 0}, {-std::sin(angle), 0, std::cos(angle)}}};
}

Vector3 Turned(const Matrix3& turn, const Vector3& x) {
  Vector3 out{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) out[i] += turn[i][j] * x[j];
  }
  return out;
}

// Three frames of a bent surface, from turned cameras.
SceneGeometry BentScene() {
  const FrameList frames = PlainFrames(3, 1, 1);
  SceneGeometry scene;
  std::mt19937 random(1);
  for (int i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = FrameItself(14, 14);
    view.camera = PlaneCamera(0.3 * i, 0.1 * i, 2, 20, frames);
    view.camera.rotation = TurnOf(0.2 * i - 0.1);
    view.depth = {14, 14, std::vector<float>(196), {}};
    for (float& z : view.depth.z) {
      z = 2 + static_cast<float>(random() % 1000) / 1000;
    }
    scene.views.emplace_back(view);
  }
  return scene;
}

// The scene in another world, in which lengths are `scale` times as long.
SceneGeometry Moved(SceneGeometry scene, double angle, const Vector3& shift, double scale) {
  const Matrix3 turn = TurnOf(angle);
  for (auto& view : scene.views) {
    Camera& camera = view->camera;
    // X = turn · Y / scale + shift
    const Matrix3 before = camera.rotation;
    for (size_t i = 0; i < 3; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        camera.rotation[i][j] = 0;
        for (size_t k = 0; k < 3; ++k) camera.rotation[i][j] += before[i][k] * turn[k][j];
      }
    }
    const Vector3 moved = Turned(before, shift);
    for (size_t i = 0; i < 3; ++i) {
      camera.translation[i] = scale * (camera.translation[i] + moved[i]);
    }
    for (float& z : view->depth.z) z = static_cast<float>(z * scale);
  }
  return scene;
}

void ExpectSame(const SceneGeometry& got, const SceneGeometry& wanted, double tolerance) {
  for (size_t v = 0; v < wanted.views.size(); ++v) {
    ASSERT_EQ(got.views[v].has_value(), wanted.views[v].has_value());
    if (!got.views[v]) continue;
    const Camera &a = got.views[v]->camera, &b = wanted.views[v]->camera;
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(a.translation[i], b.translation[i], tolerance);
      for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(a.rotation[i][j], b.rotation[i][j], tolerance);
    }
    for (size_t p = 0; p < wanted.views[v]->depth.z.size(); ++p) {
      EXPECT_NEAR(got.views[v]->depth.z[p], wanted.views[v]->depth.z[p], tolerance);
    }
  }
}

TEST(SceneAlignment, UndoesEveryTurnShiftAndScale) {
  const SceneGeometry scene = BentScene();
  const SceneGeometry moved = Moved(scene, 2.5, {1, -2, 3}, 0.125);
  EXPECT_NEAR(*DepthScale(moved, scene), 8, 1e-6);
  ExpectSame(AlignScene(moved, scene), scene, 1e-5);
  ExpectSame(AlignScene(scene, scene), scene, 1e-12);
}

TEST(SceneAlignment, GoesByTheFirstFrameThatBothHave) {
  const SceneGeometry scene = BentScene();
  SceneGeometry moved = Moved(scene, 0.5, {0, 0, 1}, 2), wanted = scene;
  moved.views[0].reset();
  wanted.views[0].reset();
  EXPECT_EQ(FirstShared(moved, scene), 1U);
  ExpectSame(AlignScene(moved, scene), wanted, 1e-5);
  moved.views[1].reset();
  moved.views[2].reset();
  EXPECT_EQ(FirstShared(moved, scene), std::nullopt);
  EXPECT_EQ(DepthScale(moved, scene), std::nullopt);
  EXPECT_NO_THROW(AlignScene(moved, scene));
}

// Each frame has a factor of its own; one alone has too few pixels, and values too small count
// nowhere.
TEST(SceneAlignment, ScalesByTheMedianOfFrames) {
  SceneGeometry scene = BentScene(), with = scene;
  const float factors[] = {2, 5, 3};
  for (size_t v = 0; v < 3; ++v) {
    for (float& z : with.views[v]->depth.z) z *= factors[v];
  }
  EXPECT_NEAR(*DepthScale(scene, with), 3, 1e-6);
  std::fill_n(with.views[1]->depth.z.begin(), 97, 0.0F);  // 99 are left
  EXPECT_NEAR(*DepthScale(scene, with), 2.5, 1e-6);
  with.views[2].reset();
  EXPECT_NEAR(*DepthScale(scene, with), 2, 1e-6);
  // Cameras alone have no scale; places keep their lengths.
  for (auto& view : scene.views) view->depth = {};
  EXPECT_EQ(DepthScale(scene, with), std::nullopt);
}

TEST(SceneAlignment, KnowsMedians) {
  EXPECT_EQ(MedianOf({3, 1, 2}), 2);
  EXPECT_EQ(MedianOf({4, 1, 2, 3}), 2.5);
  EXPECT_TRUE(std::isnan(MedianOf({})));
}

}  // namespace
}  // namespace vggt
