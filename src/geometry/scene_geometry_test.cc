// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_geometry.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vggt {
namespace {

// Two rows of three samples over a picture of 12 x 10 pixels.
FrameView SmallView() {
  FrameView view;
  view.transform.original_width = 12;
  view.transform.original_height = 10;
  view.depth = {3, 2, {1, 2, 3, 4, 5, 6}, {.1F, .2F, .3F, .4F, .5F, .6F}};
  return view;
}

TEST(SceneGeometry, SamplesCoverThePictureEvenly) {
  const FrameView view = SmallView();
  EXPECT_EQ(DepthAt(view, {0, 0}), 1);
  EXPECT_EQ(DepthAt(view, {3.99, 4.99}), 1);
  EXPECT_EQ(DepthAt(view, {4, 4.99}), 2);
  EXPECT_EQ(DepthAt(view, {3.99, 5}), 4);
  EXPECT_EQ(DepthAt(view, {11.99, 9.99}), 6);
  EXPECT_FLOAT_EQ(ConfidenceAt(view, {8, 5}), .6F);
}

TEST(SceneGeometry, MayHaveCamerasAlone) {
  SceneGeometry scene;
  EXPECT_FALSE(HasDepth(scene));
  scene.views = {std::nullopt, FrameView{}};
  EXPECT_FALSE(HasDepth(scene));
  scene.views.emplace_back(SmallView());
  EXPECT_TRUE(HasDepth(scene));
}

TEST(SceneGeometry, NothingIsKnownOutside) {
  const FrameView view = SmallView();
  for (const Point place : {Point{-0.01, 1}, Point{1, -0.01}, Point{12, 1}, Point{1, 10},
                            Point{std::nan(""), 1}, Point{1e300, 1}}) {
    EXPECT_EQ(DepthAt(view, place), 0);
    EXPECT_EQ(ConfidenceAt(view, place), 0);
  }
  EXPECT_EQ(DepthAt(FrameView{}, {0, 0}), 0);
}

}  // namespace
}  // namespace vggt
