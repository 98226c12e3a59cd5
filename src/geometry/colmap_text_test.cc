// SPDX-License-Identifier: Apache-2.0
#include "geometry/colmap_text.h"

#include <gmock/gmock.h>

#include "geometry/colmap_model.h"
#include "geometry/frame_view.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::PlainFrames;
using testing::TestDir;

// Read back by the reader of COLMAP's models: cameras, and points where pictures show them.
TEST(ColmapText, IsReadAsItWasWritten) {
  const TestDir dir;
  FrameList frames = PlainFrames(3, 2, 3);
  for (FrameTransform& t : frames.transforms) t = {84, 84, 42, 42, 7, 28, 0, 0, 42, 28};
  frames.image_paths[2] = "../images/my frame.jpg";
  SceneGeometry scene;
  for (int i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = FrameItself(42, 28);
    view.camera.fx = 40;
    view.camera.fy = 44;
    view.camera.cx = 20;
    view.camera.cy = 15;
    view.camera.rotation = {{{0.8, 0, -0.6}, {0, 1, 0}, {0.6, 0, 0.8}}};
    view.camera.translation = {0.1 * i, 0.25, 2};
    if (i == 2) view.camera.k1 = 0.01;
    view.depth = {42, 28, std::vector<float>(size_t{42} * 28, 1.5F), {}};
    scene.views.emplace_back(view);
  }
  scene.views[1].reset();
  const std::vector<uint8_t> rgb(size_t{3} * 3 * 42 * 28, 9);
  const PointCloud cloud = MakePointCloud(scene, frames, rgb, 0, 100);
  WriteColmapText(dir / "c", scene, frames, cloud.points);
  const ColmapModel model = ReadColmapModel(dir / "c");
  ASSERT_EQ(model.images.size(), 2U);
  ASSERT_EQ(model.points.size(), 100U);
  EXPECT_EQ(model.images[0].name, "frame_00.jpg");
  EXPECT_EQ(model.images[1].name, "my_frame.jpg");
  for (const ColmapImage& image : model.images) {
    EXPECT_EQ(image.width, 84);
    EXPECT_EQ(image.height, 84);
    EXPECT_NEAR(image.camera.fx, 80, 1e-9);
    EXPECT_NEAR(image.camera.cy, 2 * (15 + 7), 1e-9);
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        EXPECT_NEAR(image.camera.rotation[i][j], scene.views[0]->camera.rotation[i][j], 1e-12);
      }
    }
  }
  EXPECT_EQ(model.images[1].camera.k1, 0.01);
  for (const ColmapPoint& point : model.points) {
    ASSERT_EQ(point.track.size(), 1U);
    const ColmapImage& image = model.images[point.track[0].image];
    const Point seen = image.points[point.track[0].point];
    const auto projected = Project(image.camera, CameraFromWorld(image.camera, point.world));
    EXPECT_NEAR(projected->x, seen.x, 2e-3);  // written to thousandths
    EXPECT_NEAR(projected->y, seen.y, 2e-3);
  }
}

}  // namespace
}  // namespace vggt
