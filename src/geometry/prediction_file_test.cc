// SPDX-License-Identifier: Apache-2.0
#include "geometry/prediction_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>

#include "geometry_testing.h"
#include "prediction_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::NamedFloats;
using testing::PlainFrames;
using testing::TestDir;
using testing::WriteFloats;

// Two frames of 28 x 14 pixels: the second camera stands one unit to the right of the first.
std::vector<NamedFloats> TwoFrames() {
  const float fov = 1.5707963F;  // a quarter turn
  std::vector<float> depth(2 * 14 * 28, 2), confidence(2 * 14 * 28, 1.5F);
  return {{"pose_enc",
           {2, 9},
           {0, 0, 0, 0, 0, 0, 1, fov, fov,  //
            -1, 0, 0, 0, 0, 0, 2, fov, fov}},
          {"depth", {2, 14, 28}, depth},
          {"depth_conf", {2, 14, 28}, confidence}};
}

TEST(PredictionFile, HasViewsOfFrames) {
  const TestDir dir;
  FrameList frames = PlainFrames(2, 1, 2);
  // The last two columns are padding.
  frames.transforms[1] = {26, 14, 26, 14, 0, 14, 0, 0, 28, 14};
  std::vector<NamedFloats> arrays = TwoFrames();
  arrays[1].values[5] = std::numeric_limits<float>::infinity();
  arrays[1].values[6] = std::numeric_limits<float>::quiet_NaN();
  arrays[1].values[7] = -1;
  WriteFloats(dir / "lens_layer_03.npz", arrays);
  const SceneGeometry scene = ReadPrediction(dir.path(), LensName(2), frames);
  EXPECT_TRUE(scene.predicted);
  ASSERT_EQ(scene.views.size(), 2U);
  const FrameView& view = *scene.views[1];
  EXPECT_EQ(view.transform.original_width, 28);
  EXPECT_NEAR(view.camera.fx, 14, 1e-5);
  EXPECT_NEAR(view.camera.fy, 7, 1e-5);
  EXPECT_EQ(view.camera.cx, 14.5);
  EXPECT_EQ(view.camera.translation, (Vector3{-1, 0, 0}));
  const std::vector<float>& first = scene.views[0]->depth.z;
  EXPECT_EQ(std::vector<float>(first.begin() + 4, first.begin() + 9),
            (std::vector<float>{2, 0, 0, 0, 2}));
  EXPECT_EQ(scene.views[0]->depth.confidence[5], 0);
  EXPECT_EQ(view.depth.confidence[25], 1.5F);
  EXPECT_EQ(view.depth.z[25], 2);
  EXPECT_EQ(view.depth.z[26], 0);
}

TEST(PredictionFile, HasNoViewWhereThereIsNoCamera) {
  const TestDir dir;
  std::vector<NamedFloats> arrays = TwoFrames();
  arrays[0].values[7] = 0;
  WriteFloats(dir / kPredictionName, arrays);
  const SceneGeometry scene = ReadPrediction(dir.path(), kPredictionName, PlainFrames(2, 1, 2));
  EXPECT_FALSE(scene.views[0]);
  EXPECT_TRUE(scene.views[1]);
}

TEST(PredictionFile, IsOfTheseFrames) {
  const TestDir dir;
  WriteFloats(dir / kPredictionName, TwoFrames());
  const auto error = [&](const FrameList& frames) {
    return ErrorOf([&] { ReadPrediction(dir.path(), kPredictionName, frames); });
  };
  EXPECT_THAT(error(PlainFrames(3, 1, 2)), HasSubstr("pose_enc.npy: is no row-major float32"));
  EXPECT_THAT(error(PlainFrames(2, 2, 2)), HasSubstr("depth.npy: is no row-major float32"));
  EXPECT_THAT(error({}), HasSubstr("does not say how its pictures became frames"));
  WriteFloats(dir / kPredictionName, {TwoFrames()[0], TwoFrames()[1]});
  EXPECT_THAT(error(PlainFrames(2, 1, 2)), HasSubstr("depth_conf.npy: is not there"));
  dir.Write(kPredictionName, "no archive");
  EXPECT_THAT(error(PlainFrames(2, 1, 2)), HasSubstr(kPredictionName));
  std::filesystem::create_directory(dir / "in");
  std::filesystem::create_symlink(dir / kPredictionName, dir / "in" / LensName(0));
  EXPECT_THAT(ErrorOf([&] { ReadPrediction(dir / "in", LensName(0), PlainFrames(2, 1, 2)); }),
              HasSubstr("outside"));
}

TEST(PredictionFile, ListsLayersOfTheLens) {
  const TestDir dir;
  EXPECT_EQ(LensName(0), "lens_layer_01.npz");
  EXPECT_EQ(LensName(99), "lens_layer_100.npz");
  for (const char* name :
       {"lens_layer_11.npz", "lens_layer_04.npz", "lens_layer_4.npz", "lens_layer_00.npz",
        "lens_layer_-1.npz", "lens_layer_100.npz", "lens_layer_05.png",
        "lens_layer_99999999999.npz", "lens_layer_.npz", "predictions.npz"}) {
    dir.Write(name, "");
  }
  EXPECT_THAT(LensLayers(dir.path()), ElementsAre(3, 10, 99));
  EXPECT_TRUE(LensLayers(dir / "none").empty());
}

}  // namespace
}  // namespace vggt
