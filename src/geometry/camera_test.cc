// SPDX-License-Identifier: Apache-2.0
#include "geometry/camera.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

// A camera turned by a quarter about z, 2 behind the origin.
Camera TurnedCamera() {
  Camera camera;
  camera.fx = 100;
  camera.fy = 200;
  camera.cx = 50;
  camera.cy = 40;
  camera.rotation = {{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};
  camera.translation = {0, 0, 2};
  return camera;
}

TEST(Camera, ProjectsKnownPoints) {
  // (1, 0, 0) is at (0, 1, 2) in the camera: 200 · 1 / 2 below the principal point.
  const Vector3 seen = CameraFromWorld(TurnedCamera(), {1, 0, 0});
  EXPECT_EQ(seen, (Vector3{0, 1, 2}));
  const Point pixel = *Project(TurnedCamera(), seen);
  EXPECT_DOUBLE_EQ(pixel.x, 50);
  EXPECT_DOUBLE_EQ(pixel.y, 140);
  EXPECT_EQ(WorldFromCamera(TurnedCamera(), seen), (Vector3{1, 0, 0}));
}

TEST(Camera, SeesNothingBehindIt) {
  EXPECT_FALSE(Project(TurnedCamera(), {0, 0, 0}));
  EXPECT_FALSE(Project(TurnedCamera(), {0, 0, -1}));
  EXPECT_FALSE(Project(TurnedCamera(), {0, 0, std::nan("")}));
}

TEST(Camera, DistortsLikeOpenCv) {
  Camera camera;
  camera.k1 = 0.1;
  camera.k2 = -0.02;
  camera.p1 = 0.01;
  camera.p2 = -0.03;
  // x = 0.5, y = -1: r² = 1.25, radial factor 1 + 0.125 - 0.03125 = 1.09375.
  const Point pixel = *Project(camera, {1, -2, 2});
  EXPECT_NEAR(pixel.x, 0.5 * 1.09375 + 2 * 0.01 * -0.5 - 0.03 * (1.25 + 0.5), 1e-15);
  EXPECT_NEAR(pixel.y, -1.09375 + 0.01 * (1.25 + 2) + 2 * -0.03 * -0.5, 1e-15);
}

TEST(Camera, LiftsWhatItProjects) {
  Camera camera = TurnedCamera();
  camera.k1 = -0.2;
  camera.k2 = 0.05;
  camera.p1 = 0.01;
  camera.p2 = -0.02;
  for (const double x : {-0.6, 0.0, 0.3}) {
    for (const double y : {-0.4, 0.1, 0.5}) {
      const Vector3 point = {x * 3, y * 3, 3};
      const Vector3 lifted = Lift(camera, *Project(camera, point), 3);
      for (int i = 0; i < 3; ++i) EXPECT_NEAR(lifted[i], point[i], 3e-9);
    }
  }
}

TEST(Camera, RefusesWhatIsNoCamera) {
  Camera camera = TurnedCamera();
  CheckCamera(camera, "a");
  camera.cx = std::numeric_limits<double>::infinity();
  EXPECT_THAT(ErrorOf([&] { CheckCamera(camera, "view 3"); }),
              HasSubstr("view 3: a camera has a value that is no finite number"));
  camera = TurnedCamera();
  camera.fy = 0;
  EXPECT_THAT(ErrorOf([&] { CheckCamera(camera, "a"); }), HasSubstr("focal length"));
  camera = TurnedCamera();
  camera.rotation[2][2] = -1;  // mirrored
  EXPECT_THAT(ErrorOf([&] { CheckCamera(camera, "a"); }), HasSubstr("no rotation"));
  camera.rotation[2][2] = std::nan("");
  EXPECT_THAT(ErrorOf([&] { CheckCamera(camera, "a"); }), HasSubstr("no rotation"));
}

}  // namespace
}  // namespace vggt
