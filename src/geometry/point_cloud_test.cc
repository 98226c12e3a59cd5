// SPDX-License-Identifier: Apache-2.0
#include "geometry/point_cloud.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <tuple>

#include "geometry/frame_view.h"
#include "geometry_testing.h"

namespace vggt {
namespace {

using testing::PlainFrames;
using testing::PlaneCamera;

struct CloudCase {
  FrameList frames;
  SceneGeometry scene;
  std::vector<uint8_t> rgb;
};

// The plane z = 0 from a distance of 2, in pictures of 28 x 14 pixels, each pixel of another colour
// and confidence.
CloudCase PlaneCase(int64_t count) {
  CloudCase out{PlainFrames(count, 1, 2), {{}, "plane"}, {}};
  for (int64_t i = 0; i < count; ++i) {
    FrameView view;
    view.transform = FrameItself(28, 14);
    view.camera = PlaneCamera(static_cast<double>(i), 0, 2, 50, out.frames);
    view.depth = {28, 14, std::vector<float>(392, 2), {}};
    for (int j = 0; j < 392; ++j) {
      view.depth.confidence.push_back(static_cast<float>(1 + 392 * i + j));
      for (int k = 0; k < 3; ++k) out.rgb.push_back(static_cast<uint8_t>((j + 5 * i + k) % 256));
    }
    out.scene.views.emplace_back(view);
  }
  return out;
}

TEST(PointCloud, LiftsEachPixel) {
  const CloudCase plane = PlaneCase(2);
  const PointCloud cloud = MakePointCloud(plane.scene, plane.frames, plane.rgb, 0, 1'000'000);
  ASSERT_EQ(cloud.points.size(), 784U);
  EXPECT_EQ(cloud.known, 784);
  EXPECT_EQ(cloud.least_confidence, 1);
  for (size_t i = 0; i < cloud.points.size(); ++i) {
    const CloudPoint& point = cloud.points[i];
    EXPECT_EQ(point.frame, static_cast<int32_t>(i / 392));
    EXPECT_EQ(point.y * 28 + point.x, static_cast<int32_t>(i % 392));
    EXPECT_EQ(point.patch, point.x / 14);
    EXPECT_EQ(point.confidence, static_cast<float>(i + 1));
    EXPECT_EQ(point.colour[2], plane.rgb[3 * i + 2]);
    EXPECT_NEAR(point.position[0], point.frame + (point.x + 0.5 - 14) * 2 / 50, 1e-6);
    EXPECT_NEAR(point.position[1], (point.y + 0.5 - 7) * 2 / 50, 1e-6);
    EXPECT_NEAR(point.position[2], 0, 1e-6);
  }
}

TEST(PointCloud, LeavesOutWhatIsBelowThePercentile) {
  const CloudCase plane = PlaneCase(1);  // confidences 1 … 392
  const auto least = [&](double percentile) {
    const PointCloud cloud = MakePointCloud(plane.scene, plane.frames, plane.rgb, percentile, 1000);
    EXPECT_EQ(std::ssize(cloud.points), 393 - static_cast<int>(cloud.least_confidence));
    return cloud.least_confidence;
  };
  EXPECT_EQ(least(0), 1);
  EXPECT_EQ(least(25), 98);
  EXPECT_EQ(least(50), 196);
  EXPECT_EQ(least(100), 392);
}

TEST(PointCloud, HoldsOnlyWhatIsKnown) {
  CloudCase plane = PlaneCase(3);
  plane.scene.views[1].reset();
  plane.scene.views[2]->depth = {};
  plane.scene.views[0]->depth.confidence.clear();
  plane.scene.views[0]->depth.z[5] = 0;
  plane.scene.views[0]->depth.z[6] = 3e38F;  // its place is beyond float32
  plane.scene.views[0]->camera.fx = 1e-3;
  const PointCloud cloud = MakePointCloud(plane.scene, plane.frames, plane.rgb, 50, 1000);
  EXPECT_EQ(cloud.known, 391);
  ASSERT_EQ(cloud.points.size(), 390U);
  EXPECT_EQ(cloud.points[5].x, 7);
  EXPECT_EQ(cloud.points[5].confidence, 0);
  plane.scene.views.assign(3, std::nullopt);
  EXPECT_TRUE(MakePointCloud(plane.scene, plane.frames, plane.rgb, 50, 1000).points.empty());
}

TEST(PointCloud, OfTooManyPointsSomeAreChosenEvenly) {
  const CloudCase plane = PlaneCase(2);
  const auto some = MakePointCloud(plane.scene, plane.frames, plane.rgb, 0, 200).points;
  ASSERT_EQ(some.size(), 200U);
  std::set<std::tuple<int, int, int>> places;
  int second = 0, lower = 0;
  for (const CloudPoint& point : some) {
    places.emplace(point.frame, point.y, point.x);
    second += point.frame;
    lower += point.y >= 7 ? 1 : 0;
  }
  EXPECT_EQ(places.size(), 200U);
  EXPECT_NEAR(second, 100, 5 * std::sqrt(200 * 0.25));  // 5 standard deviations
  EXPECT_NEAR(lower, 100, 5 * std::sqrt(200 * 0.25));
  const auto again = MakePointCloud(plane.scene, plane.frames, plane.rgb, 0, 200).points;
  for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i].position, again[i].position);
  EXPECT_EQ(SomePoints(some, 10).size(), 10U);
  EXPECT_EQ(SomePoints(some, 1000).size(), 200U);
  EXPECT_TRUE(SomePoints(some, 0).empty());
}

}  // namespace
}  // namespace vggt
