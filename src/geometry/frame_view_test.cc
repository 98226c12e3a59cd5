// SPDX-License-Identifier: Apache-2.0
#include "geometry/frame_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace vggt {
namespace {

Camera DistortedCamera() {
  Camera camera;
  camera.fx = 300;
  camera.fy = 320;
  camera.cx = 210;
  camera.cy = 140;
  camera.k1 = -0.1;
  camera.k2 = 0.02;
  camera.p1 = 0.01;
  camera.p2 = -0.02;
  camera.rotation = {{{0.8, 0, -0.6}, {0, 1, 0}, {0.6, 0, 0.8}}};
  camera.translation = {0.2, -0.1, 3};
  return camera;
}

// A picture of 400 x 300 pixels, or turned 300 x 400, cut on two sides, resized to 112 columns, its
// middle kept, with padding around it.
FrameTransform Awkward(int orientation) {
  FrameTransform t{400, 300, 112, 84, 10, 60, 12, 3, 120, 84, orientation};
  if (orientation >= 5) t.resized_height = 149;
  t.cut_left = 20;
  t.cut_bottom = 7;
  t.crop_left = 4;
  t.crop_right = 5;
  return t;
}

// The point of the frame that the frame's camera sees is where the transform takes the one of the
// picture, for points all over the picture.
TEST(FrameView, CamerasFollowTheTransform) {
  const Camera camera = DistortedCamera();
  for (const int orientation : {1, 3, 6, 8}) {
    const FrameTransform transform = Awkward(orientation);
    const auto frame = FrameCamera(camera, transform);
    ASSERT_TRUE(frame) << orientation;
    EXPECT_NO_THROW(CheckCamera(*frame, ""));
    const auto picture = PictureCamera(*frame, transform);
    ASSERT_TRUE(picture);
    for (const Vector3 world : {Vector3{0, 0, 0}, {0.5, 0.3, 1}, {-0.9, 0.7, 0.2}, {1, -1, 2}}) {
      const Point seen = *Project(camera, CameraFromWorld(camera, world));
      const Point expected = ModelFromOriginal(transform, seen);
      const Point got = *Project(*frame, CameraFromWorld(*frame, world));
      EXPECT_NEAR(got.x, expected.x, 1e-9) << orientation;
      EXPECT_NEAR(got.y, expected.y, 1e-9) << orientation;
      const Point back = *Project(*picture, CameraFromWorld(*picture, world));
      EXPECT_NEAR(back.x, seen.x, 1e-9) << orientation;
      EXPECT_NEAR(back.y, seen.y, 1e-9) << orientation;
    }
  }
}

TEST(FrameView, NoCameraSeesAMirroredPicture) {
  for (const int orientation : {2, 4, 5, 7}) {
    EXPECT_FALSE(FrameCamera(DistortedCamera(), Awkward(orientation))) << orientation;
    EXPECT_FALSE(PictureCamera(DistortedCamera(), Awkward(orientation))) << orientation;
  }
}

// A picture of 4 x 2 pixels, doubled, its first two rows cropped, with a row and a column of
// padding.
TEST(FrameView, TakesDepthAtThePixelsOfTheFrame) {
  const FrameTransform transform{4, 2, 8, 4, 2, 2, 1, 1, 10, 4};
  FrameView view;
  view.transform = transform;
  view.depth = {4, 2, {1, 1, 1, 1, 2, 3, 4, 5}, {9, 9, 9, 9, 6, 7, 8, 9}};
  const auto got = AtFrame(view, transform);
  ASSERT_TRUE(got);
  EXPECT_TRUE(ConcernsFrame(*got));
  EXPECT_EQ(got->depth.width, 10);
  EXPECT_EQ(got->depth.height, 4);
  const std::vector<float> row = {0, 2, 2, 3, 3, 4, 4, 5, 5, 0}, padding(10);
  const std::vector<float> trust = {0, 6, 6, 7, 7, 8, 8, 9, 9, 0};
  const auto rows = [](const std::vector<float>& a, const std::vector<float>& b) {
    std::vector<float> out = a;
    for (const auto* next : {&b, &b, &a}) out.insert(out.end(), next->begin(), next->end());
    return out;
  };
  EXPECT_EQ(got->depth.z, rows(padding, row));
  EXPECT_EQ(got->depth.confidence, rows(padding, trust));
}

TEST(FrameView, OfTheFrameItselfStaysButForPaddingAndWhatIsNoDepth) {
  const FrameTransform transform{2, 2, 2, 2, 0, 2, 0, 2, 4, 2};  // the picture stands at the right
  FrameView view;
  view.transform = FrameItself(4, 2);
  const float nan = std::nanf(""), infinite = std::numeric_limits<float>::infinity();
  view.depth = {4, 2, {7, 7, 0.1F, nan, 7, 7, -1, 2}, {3, 3, 3, 3, 3, 3, 3, infinite}};
  EXPECT_TRUE(ConcernsFrame(view));
  const auto got = AtFrame(view, transform);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->depth.z, (std::vector<float>{0, 0, 0.1F, 0, 0, 0, 0, 2}));
  EXPECT_EQ(got->depth.confidence, (std::vector<float>{0, 0, 3, 0, 0, 0, 0, 0}));
}

TEST(FrameView, ListsTheCamerasOfFrames) {
  FrameList frames;
  frames.frames = 4;
  frames.transforms = {Awkward(1), Awkward(1), Awkward(4), Awkward(1)};
  SceneGeometry scene;
  scene.views.resize(4);
  scene.views[0] = FrameView{Awkward(1), DistortedCamera(), {}};
  scene.views[1] = FrameView{FrameItself(120, 84), DistortedCamera(), {}};
  scene.views[2] = FrameView{Awkward(4), DistortedCamera(), {}};  // mirrored
  const auto cameras = FrameCameras(scene, frames);
  ASSERT_EQ(cameras.size(), 4U);
  ASSERT_TRUE(cameras[0] && cameras[1]);
  EXPECT_EQ(cameras[0]->cx, FrameCamera(DistortedCamera(), Awkward(1))->cx);
  EXPECT_EQ(cameras[1]->cx, 210);
  EXPECT_FALSE(cameras[2] || cameras[3]);
}

TEST(FrameView, HasNoCameraOfNumbersThatAreNone) {
  FrameView view;
  view.transform = FrameItself(14, 14);
  EXPECT_TRUE(AtFrame(view, view.transform));
  for (double Camera::*value : {&Camera::fx, &Camera::fy, &Camera::cx, &Camera::k1}) {
    FrameView bad = view;
    bad.camera.*value = std::nan("");
    EXPECT_FALSE(AtFrame(bad, view.transform));
  }
  FrameView flat = view;
  flat.camera.fx = std::numeric_limits<double>::infinity();  // a field of view of 0
  EXPECT_FALSE(AtFrame(flat, view.transform));
  flat.camera = {};
  flat.camera.rotation[0][0] = 0.5;
  EXPECT_FALSE(AtFrame(flat, view.transform));
}

}  // namespace
}  // namespace vggt
