// SPDX-License-Identifier: Apache-2.0
#include "geometry/camera_json.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

Camera WrittenCamera() {
  Camera camera;
  camera.fx = 650.25;
  camera.fy = 1.0 / 3;
  camera.cx = 390;
  camera.cy = 260.5;
  camera.rotation = {{{0, -1, 0}, {0.6, 0, -0.8}, {0.8, 0, 0.6}}};
  camera.translation = {0.1, -2, 1e-7};
  return camera;
}

TEST(CameraJson, ComesBackAsItIs) {
  for (const double k1 : {0.0, -0.125}) {
    Camera camera = WrittenCamera();
    camera.k1 = k1;
    camera.p2 = k1 / 7;
    OrderedJson json;
    AddCamera(camera, json);
    EXPECT_EQ(json.contains("distortion"), k1 != 0);
    EXPECT_EQ(json["K"][0][2], 389.5);  // pixel centres at whole numbers
    const Camera back = ParseCamera(ParseJson(DumpJson(json), "a"), Json(), "a");
    EXPECT_EQ(back.fx, camera.fx);
    EXPECT_EQ(back.fy, camera.fy);
    EXPECT_EQ(back.cx, camera.cx);
    EXPECT_EQ(back.cy, camera.cy);
    EXPECT_EQ(back.k1, camera.k1);
    EXPECT_EQ(back.p2, camera.p2);
    EXPECT_EQ(back.rotation, camera.rotation);
    EXPECT_EQ(back.translation, camera.translation);
  }
}

TEST(CameraJson, SaysWhatIsWrong) {
  OrderedJson good;
  AddCamera(WrittenCamera(), good);
  const auto says = [&](const char* key, const OrderedJson& value) {
    OrderedJson json = good;
    json[key] = value;
    return ErrorOf([&] { ParseCamera(ParseJson(DumpJson(json), "a"), Json(), "cameras[2]"); });
  };
  EXPECT_THAT(says("K", 7), HasSubstr("cameras[2]"));
  EXPECT_THAT(says("K", {{1, 2, 3}, {0, 1, 1}, {0, 0, 1}}), HasSubstr("'K' is not"));
  EXPECT_THAT(says("distortion", {1, 2}), HasSubstr("'distortion' has 2 numbers, expected 4"));
  EXPECT_THAT(says("R", {{1, 0, 0}, {0, 1, 0}}), HasSubstr("'R' has 2 rows, expected 3"));
  EXPECT_THAT(says("R", {{1, 0, 0}, {0, 1, 0}, {0, 0, -1}}), HasSubstr("rotation is no rotation"));
  EXPECT_THAT(says("t", nullptr), HasSubstr("'t'"));
}

}  // namespace
}  // namespace vggt
