// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_glb.h"

#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <cstring>

#include "formats/json.h"
#include "geometry/frame_view.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::PlainFrames;
using testing::TestDir;

// The two parts of a .glb.
struct GlbParts {
  Json json;
  std::string binary;

  explicit GlbParts(const std::string& file) {
    uint32_t words[5];
    std::memcpy(words, file.data(), sizeof(words));
    EXPECT_EQ(file.substr(0, 4), "glTF");
    EXPECT_EQ(words[1], 2U);
    EXPECT_EQ(words[2], file.size());
    EXPECT_EQ(file.substr(16, 4), "JSON");
    EXPECT_EQ(words[3] % 4, 0U);
    json = ParseJson(file.substr(20, words[3]), "glb");
    if (file.size() == 20 + words[3]) return;
    EXPECT_EQ(file.substr(24 + words[3], 4), std::string("BIN\0", 4));
    binary = file.substr(28 + words[3]);
    EXPECT_EQ(json["buffers"][0]["byteLength"].get<size_t>(), binary.size());
  }

  float FloatAt(size_t accessor, size_t i) const {
    const Json& view = json["bufferViews"][json["accessors"][accessor]["bufferView"].get<size_t>()];
    float value = 0;
    std::memcpy(&value, binary.data() + view["byteOffset"].get<size_t>() + 4 * i, 4);
    return value;
  }
};

Eigen::Isometry3d PoseOf(const Json& node) {
  const auto q = node["rotation"].get<std::vector<double>>();
  const auto t = node["translation"].get<std::vector<double>>();
  return Eigen::Translation3d(t[0], t[1], t[2]) * Eigen::Quaterniond(q[3], q[0], q[1], q[2]);
}

TEST(SceneGlb, HoldsPointsAndCamerasInTheAxesOfGltf) {
  const TestDir dir;
  const FrameList frames = PlainFrames(3, 2, 3);
  SceneGeometry scene{{}, "a scene"};
  for (int i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = FrameItself(42, 28);
    view.camera.fx = view.camera.fy = 14;
    view.camera.cx = 21;
    view.camera.cy = 14;
    view.camera.rotation = {{{0.8, 0, -0.6}, {0, 1, 0}, {0.6, 0, 0.8}}};
    view.camera.translation = {0.5 * i, 0.25, 2};
    view.depth = {42, 28, std::vector<float>(size_t{42} * 28, 3), {}};
    scene.views.emplace_back(view);
  }
  scene.views[1].reset();
  const std::vector<uint8_t> rgb(size_t{3} * 3 * 42 * 28, 128);
  const PointCloud cloud = MakePointCloud(scene, frames, rgb, 0, 50);
  WriteSceneGlb(dir / "a.glb", scene, frames, cloud.points);
  const GlbParts glb(ReadFile(dir / "a.glb"));
  const Json& json = glb.json;
  ASSERT_EQ(json["nodes"].size(), 4U);
  EXPECT_EQ(json["nodes"][2]["name"], "frame 2 · 02.jpg");
  EXPECT_EQ(json["accessors"][0]["count"], 50);
  for (size_t k = 0; k < 3; ++k) EXPECT_EQ(glb.FloatAt(0, 147 + k), cloud.points[49].position[k]);
  uint16_t level = 0;
  std::memcpy(&level, glb.binary.data() + 600, 2);
  EXPECT_EQ(level, 14146);  // 128 / 255 of sRGB is 0.21586 linear

  // Through the nodes, a point stands where the first camera sees it, with y and z turned.
  const Eigen::Isometry3d root = PoseOf(json["nodes"][3]);
  const CloudPoint& point = cloud.points[7];
  const Vector3 seen = CameraFromWorld(scene.views[0]->camera,
                                       {point.position[0], point.position[1], point.position[2]});
  const Eigen::Vector3d placed = root * Eigen::Vector3f(point.position.data()).cast<double>();
  EXPECT_NEAR(placed.x(), seen[0], 1e-6);
  EXPECT_NEAR(placed.y(), -seen[1], 1e-6);
  EXPECT_NEAR(placed.z(), -seen[2], 1e-6);
  // Frame 2's node stands at its camera's centre and looks along it.
  const Eigen::Isometry3d camera = PoseOf(json["nodes"][2]);
  const Vector3 ahead = WorldFromCamera(scene.views[2]->camera, {0, 0, 3});
  const Eigen::Vector3d looked = camera * Eigen::Vector3d(0, 0, -3);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(looked[k], ahead[static_cast<size_t>(k)], 1e-9);
  EXPECT_NEAR(json["cameras"][0]["perspective"]["yfov"].get<double>(), std::acos(0.0), 1e-12);
  EXPECT_NEAR(json["cameras"][0]["perspective"]["aspectRatio"].get<double>(), 1.5, 1e-12);
  // Its frustum is a tenth as deep as the points are far, half as high to each side.
  const size_t lines = json["meshes"][2]["primitives"][0]["attributes"]["POSITION"].get<size_t>();
  EXPECT_EQ(json["accessors"][lines]["count"], 16);
  EXPECT_NEAR(glb.FloatAt(lines, 3), -0.45, 1e-6);
  EXPECT_NEAR(glb.FloatAt(lines, 4), 0.3, 1e-6);
  EXPECT_NEAR(glb.FloatAt(lines, 5), -0.3, 1e-6);
}

TEST(SceneGlb, HoldsNumbersWhereALensHasNoInverse) {
  const TestDir dir;
  FrameView view{FrameItself(4, 4), {}, {}};
  view.camera.fx = view.camera.fy = 1;
  view.camera.cx = view.camera.cy = 2;
  view.camera.k1 = 1;
  EXPECT_FALSE(std::isfinite(Lift(view.camera, {0, 0}, 1)[0]));
  WriteSceneGlb(dir / "a.glb", {{view}, "a scene"}, PlainFrames(1, 1, 1), {});
  const GlbParts glb(ReadFile(dir / "a.glb"));
  EXPECT_FALSE(glb.json["accessors"].empty());
  for (const Json& accessor : glb.json["accessors"]) {
    EXPECT_FALSE(accessor["min"][0].is_null()) << accessor;
  }
}

TEST(SceneGlb, MayHoldNothing) {
  const TestDir dir;
  WriteSceneGlb(dir / "a.glb", {{std::nullopt}, "a scene"}, PlainFrames(1, 1, 1), {});
  const GlbParts glb(ReadFile(dir / "a.glb"));
  EXPECT_FALSE(glb.json.contains("buffers"));
  EXPECT_EQ(glb.json["nodes"].size(), 1U);
}

}  // namespace
}  // namespace vggt
