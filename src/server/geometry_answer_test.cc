// SPDX-License-Identifier: Apache-2.0
#include "server/geometry_answer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/npy.h"
#include "geometry/frame_view.h"
#include "geometry/geometry_folder.h"
#include "geometry/prediction_file.h"
#include "geometry_testing.h"
#include "image/png_codec.h"
#include "prediction_testing.h"
#include "qk_store_testing.h"
#include "routes_testing.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::BodyOf;
using testing::HeaderOf;
using testing::WhatOf;

// Views into the response, which has to stay.
std::vector<NpyArray> ArraysIn(Response&&) = delete;
std::vector<NpyArray> ArraysIn(const Response& response) {
  std::vector<NpyArray> arrays;
  for (Bytes rest = AsBytes(response.body); !rest.empty();) {
    const NpyLayout layout =
        ParseNpyHeader(rest.first(std::min(rest.size(), kLongestNpyHeader)), "");
    const size_t end = layout.data + NpyDataSize(layout);
    arrays.push_back(ParseNpy(rest.first(end), "array"));
    rest = rest.subspan(end);
  }
  return arrays;
}

template <typename T>
std::vector<T> NumbersOf(const NpyArray& array) {
  std::vector<T> numbers(array.data.size() / sizeof(T));
  std::memcpy(numbers.data(), array.data.data(), array.data.size());
  return numbers;
}

// An export "g" of three frames of 42 x 28 pixels: the first sees a wall at depth 2, the second one
// at 3, of the third nothing is known.
class GeometryAnswerTest : public testing::RoutesTest {
 protected:
  GeometryAnswerTest() : root_(dir_ / "root" / "g") {
    QkDescription d = testing::SmallQkDescription(3, 2, 3);
    static_cast<FrameList&>(d) = testing::PlainFrames(3, 2, 3);
    testing::WriteQkStore(root_, d);
    std::filesystem::create_directory(root_ / "images");
    const std::vector<uint8_t> rgb(3 * 3 * kPixels, 128);
    for (int i = 0; i < 3; ++i) {
      WritePng(root_ / "images" / fmt::format("frame_{:02}.jpg", i), 42, 28,
               std::span(rgb).first(3 * kPixels));
    }
    SceneGeometry scene;
    scene.views.resize(3);
    for (size_t i = 0; i < 2; ++i) {
      FrameView view{FrameItself(42, 28), {}, {}};
      view.camera.fx = view.camera.fy = 100;
      view.camera.cx = 21;
      view.camera.cy = 14;
      view.camera.translation = {0.25 * static_cast<double>(i), 0, 0};
      view.depth.width = 42;
      view.depth.height = 28;
      view.depth.z.assign(kPixels, i == 0 ? 2.0F : 3.0F);
      scene.views[i] = view;
    }
    scene.text = "VGGT-1B";
    scene.predicted = true;
    WriteGeometryFolder(root_ / "geometry", scene, OpenExport(root_).frames, rgb);
  }

  Response Ask(const std::string& path, RequestParams params = {}) const {
    params.emplace_back("export", "g");
    return Get(path, params);
  }

  static constexpr size_t kPixels = 42 * 28;
  std::filesystem::path root_;
};

TEST_F(GeometryAnswerTest, DescribesCameras) {
  const Response response = Ask("/api/geometry.json");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json json = BodyOf(response);
  EXPECT_EQ(json["source"], "VGGT-1B");
  EXPECT_TRUE(json["predicted"]);
  EXPECT_EQ(json["width"], 42);
  EXPECT_EQ(json["height"], 28);
  ASSERT_EQ(json["frames"].size(), 3U);
  EXPECT_NEAR(json["frames"][0]["fx"].get<double>(), 100, 1e-6);
  EXPECT_NEAR(json["frames"][0]["cx"].get<double>(), 21, 1e-6);
  EXPECT_NEAR(json["frames"][1]["translation"][0].get<double>(), 0.25, 1e-9);
  EXPECT_TRUE(json["frames"][1]["depth"]);
  EXPECT_TRUE(json["frames"][2].is_null());
  EXPECT_EQ(json["points"], 2 * kPixels);
  EXPECT_TRUE(BodyOf(Ask("/api/export"))["geometry_version"].is_string());
  EXPECT_TRUE(BodyOf(Get("/api/export", {{"export", "a"}}))["geometry_version"].is_null());
}

TEST_F(GeometryAnswerTest, PointsLieOnTheWalls) {
  const Response response = Ask("/api/geometry/points.npy", {{"points", "500"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const std::vector<NpyArray> arrays = ArraysIn(response);
  ASSERT_EQ(arrays.size(), 4U);
  EXPECT_EQ(arrays[0].shape, (Shape{500, 3}));
  EXPECT_EQ(arrays[1].descr, "|u1");
  EXPECT_EQ(arrays[3].shape, (Shape{500}));
  const auto positions = NumbersOf<float>(arrays[0]);
  const auto cells = NumbersOf<uint32_t>(arrays[2]);
  for (size_t i = 0; i < 500; ++i) {
    const uint32_t frame = cells[2 * i], patch = cells[2 * i + 1];
    ASSERT_LT(frame, 2U);
    const float z = frame == 0 ? 2 : 3;
    EXPECT_NEAR(positions[3 * i + 2], z, 1e-3);
    const double x = (positions[3 * i] + 0.25 * frame) * 100 / z + 21;
    const double y = positions[3 * i + 1] * 100 / z + 14;
    EXPECT_EQ(patch, static_cast<uint32_t>(y / 14) * 3 + static_cast<uint32_t>(x / 14));
  }
}

TEST_F(GeometryAnswerTest, DepthHasASampleInTheMiddleOfEachPatch) {
  const Response response = Ask("/api/geometry/depth.npy");
  const std::vector<NpyArray> arrays = ArraysIn(response);
  ASSERT_EQ(arrays.size(), 1U);
  EXPECT_EQ(arrays[0].shape, (Shape{3, 10, 15}));
  const auto depth = NumbersOf<float>(arrays[0]);
  for (size_t i = 0; i < depth.size(); ++i) {
    EXPECT_NEAR(depth[i], i < 150 ? 2 : i < 300 ? 3 : 0, 1e-3) << i;
  }
}

TEST_F(GeometryAnswerTest, IsReadAnewWhenItIsAnother) {
  EXPECT_EQ(BodyOf(Ask("/api/geometry.json"))["source"], "VGGT-1B");
  std::filesystem::remove(root_ / "geometry" / "frame_01.npz");
  EXPECT_EQ(Ask("/api/geometry.json").status, 200);  // what is open is answered
  testing::ReplaceInFile(root_ / "geometry" / "cameras.json", "VGGT-1B", "VGGT-tiny");
  const Response damaged = Ask("/api/geometry.json");
  EXPECT_EQ(damaged.status, 404);
  EXPECT_THAT(damaged.body, ::testing::HasSubstr("frame_01.npz"));
}

// Twice as large and in a world of its own: both are undone.
TEST_F(GeometryAnswerTest, AnswersWhatTheHeadsMakeOfALayer) {
  EXPECT_TRUE(BodyOf(Ask("/api/geometry.json"))["lens"].empty());
  const FrameList frames = OpenExport(root_).frames;
  testing::WritePredictedWall(root_ / "geometry" / LensName(3), frames, 0.1, 2, 0);
  testing::WritePredictedWall(root_ / "geometry" / LensName(10), frames, 0.2, 1, 0);
  const Json last = BodyOf(Ask("/api/geometry.json"));
  EXPECT_EQ(last["lens"], Json({4, 11}));
  EXPECT_TRUE(last["layer"].is_null());
  const Json lens = BodyOf(Ask("/api/geometry.json", {{"lens", "4"}}));
  EXPECT_EQ(lens["layer"], 4);
  EXPECT_EQ(lens["lens"], Json({4, 11}));
  EXPECT_EQ(lens["source"], "VGGT-1B");
  EXPECT_EQ(lens["points"], 3 * kPixels);
  for (const char* key : {"rotation", "translation"}) {
    EXPECT_EQ(lens["frames"][0][key], last["frames"][0][key]);
  }
  // The walls at 2 and 3 are both at 4 here: by (0.5 + 0.75) / 2 nearer.
  EXPECT_NEAR(lens["frames"][1]["translation"][0].get<double>(), -0.6 * 0.625, 1e-6);
  const Response answer = Ask("/api/geometry/depth.npy", {{"lens", "4"}});
  EXPECT_NEAR(NumbersOf<float>(ArraysIn(answer)[0])[0], 4 * 0.625, 1e-6);
  const Response points = Ask("/api/geometry/points.npy", {{"lens", "4"}, {"points", "50"}});
  EXPECT_EQ(ArraysIn(points)[0].shape, (Shape{50, 3}));

  // Each layer is its own, and another once its file is another.
  EXPECT_NE(Ask("/api/geometry.json", {{"lens", "11"}}).body,
            Ask("/api/geometry.json", {{"lens", "4"}}).body);
  testing::WritePredictedWall(root_ / "geometry" / LensName(3), frames, 0.3, 2, 0);
  EXPECT_NE(BodyOf(Ask("/api/geometry.json", {{"lens", "4"}}))["frames"][1], lens["frames"][1]);
  const Response none = Ask("/api/geometry/depth.npy", {{"lens", "5"}});
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(WhatOf(none), "what the heads make of layer 5 is not among this geometry");
  for (const char* wrong : {"", "0", "x", "10001"}) {
    EXPECT_EQ(Ask("/api/geometry.json", {{"lens", wrong}}).status, 400) << wrong;
  }
}

TEST_F(GeometryAnswerTest, EveryAnswerTellsWhichGeometryThereIs) {
  const std::string before = HeaderOf(Ask("/api/geometry.json"), "X-Geometry-Version");
  EXPECT_NE(before, "");
  const Response described = Ask("/api/export");
  EXPECT_EQ(BodyOf(described)["geometry_version"], before);
  const std::string version = HeaderOf(described, "X-Export-Version");
  std::filesystem::rename(root_ / "geometry", root_ / "away");
  const Response without = Ask("/api/export");
  EXPECT_EQ(HeaderOf(without, "X-Geometry-Version"), "none");
  EXPECT_TRUE(BodyOf(without)["geometry_version"].is_null());
  EXPECT_EQ(HeaderOf(without, "X-Export-Version"), version);  // the export itself is the same
  std::filesystem::rename(root_ / "away", root_ / "geometry");
  EXPECT_EQ(HeaderOf(Ask("/api/export"), "X-Geometry-Version"), before);
  testing::ReplaceInFile(root_ / "geometry" / "cameras.json", "VGGT-1B", "VGGT-tiny");
  EXPECT_NE(HeaderOf(Ask("/api/export"), "X-Geometry-Version"), before);
}

TEST_F(GeometryAnswerTest, Refuses) {
  const Response none = Get("/api/geometry.json", {{"export", "b"}});
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(WhatOf(none), "this export has no geometry");
  EXPECT_EQ(Ask("/api/geometry/none.npy").status, 404);
  EXPECT_EQ(Ask("/api/geometry.json", {{"points", "5"}}).status, 400);
  for (const char* wrong : {"", "0", "-1", "2000001", "x"}) {
    EXPECT_EQ(Ask("/api/geometry/points.npy", {{"points", wrong}}).status, 400) << wrong;
  }
  testing::ReplaceInFile(root_ / "geometry" / "cameras.json", "vggt-attn-geometry", "another");
  EXPECT_EQ(Ask("/api/geometry.json").status, 422);
}

}  // namespace
}  // namespace vggt
