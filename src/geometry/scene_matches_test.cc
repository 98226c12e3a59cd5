// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_matches.h"

#include <gmock/gmock.h>

#include <cmath>

#include "colmap_testing.h"
#include "geometry_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::PlaneCamera;
using testing::TestDir;

// The plane z = 0 seen straight on from a distance of 2, by cameras that stand 0.28 apart: with a
// focal length of 100 the same point is 14 pixels, one cell, further left in the next picture.
SceneGeometry PlaneScene(const FrameList& frames) {
  SceneGeometry scene{{}, "plane.json"};
  for (int64_t i = 0; i < frames.frames; ++i) {
    FrameView view;
    view.transform = frames.transforms[static_cast<size_t>(i)];
    view.camera = PlaneCamera(0.28 * static_cast<double>(i), 0, 2, 100, frames);
    view.depth = {7, 5, std::vector<float>(35, 2), {}};
    scene.views.emplace_back(view);
  }
  return scene;
}

TEST(SceneMatches, OfAPlaneAreKnown) {
  const FrameList frames = PlainFrames(3, 4, 5);
  const SceneMatches got = MatchesOf(PlaneScene(frames), frames);
  ASSERT_EQ(got.pairs.size(), 6U);
  EXPECT_TRUE(got.notes.empty());
  EXPECT_THAT(got.text, HasSubstr("plane.json"));
  const PairMatches& pair = got.pairs[1];
  EXPECT_EQ(pair.frame_a, 0);
  EXPECT_EQ(pair.frame_b, 2);
  // Two cells to the left: columns 2, 3 and 4 are seen.
  ASSERT_EQ(pair.matches.size(), 12U);
  for (const PatchMatch& match : pair.matches) {
    EXPECT_GE(match.patch % 5, 2);
    EXPECT_NEAR(match.place.x, 14 * (static_cast<double>(match.patch % 5) - 2 + 0.5), 1e-9);
    EXPECT_NEAR(match.place.y, 14 * (static_cast<double>(match.patch / 5) + 0.5), 1e-9);
  }
  EXPECT_EQ(got.count(), 4 * 16 + 2 * 12);
}

TEST(SceneMatches, WhatIsHiddenIsNoMatch) {
  const FrameList frames = PlainFrames(2, 4, 5);
  SceneGeometry scene = PlaneScene(frames);
  // In picture 1 something stands before the plane's left half.
  for (size_t i = 0; i < 35; ++i) scene.views[1]->depth.z[i] = i % 7 < 3 ? 1.5F : 2;
  const SceneMatches got = MatchesOf(scene, frames);
  const PairMatches& pair = got.pairs[0];
  EXPECT_EQ(pair.frame_a, 0);
  for (const PatchMatch& match : pair.matches) EXPECT_GE(match.place.x, 30);
  EXPECT_EQ(pair.matches.size(), 8U);
  // A tolerance that is larger than the step lets it pass.
  EXPECT_EQ(MatchesOf(scene, frames, {0.3, 0.1}).pairs[0].matches.size(), 16U);
}

TEST(PatchSights, TellWhatIsHiddenAndWhatLiesOutside) {
  const FrameList frames = PlainFrames(3, 4, 5);
  SceneGeometry scene = PlaneScene(frames);
  // In picture 1 something stands before the plane's left half, and the right column is a hole.
  for (size_t i = 0; i < 35; ++i) {
    scene.views[1]->depth.z[i] = i % 7 < 3 ? 1.5F : i % 7 == 3 ? 2 : i % 7 == 4 ? 0 : 3;
  }
  const auto sights = SightsOf(scene, frames, 0);
  ASSERT_EQ(sights.size(), 3U);
  EXPECT_THAT(sights[0], ::testing::Each(PatchSight::kUnknown));
  using enum PatchSight;
  // A cell to the left in picture 1: 42 of 70 pixels are hidden.
  for (size_t row = 0; row < 4; ++row) {
    const auto of_row = [&](size_t frame) {
      const auto first = sights[frame].begin() + static_cast<std::ptrdiff_t>(5 * row);
      return std::vector<PatchSight>(first, first + 5);
    };
    EXPECT_THAT(of_row(1), ElementsAre(kOutside, kHidden, kHidden, kVisible, kUnknown));
    EXPECT_THAT(of_row(2), ElementsAre(kOutside, kOutside, kVisible, kVisible, kVisible));
  }
  scene.views[0]->depth = {};
  for (const auto& of_frame : SightsOf(scene, frames, 0)) {
    EXPECT_THAT(of_frame, ::testing::Each(kUnknown));
  }
}

TEST(DepthErrors, AreTheMedianOverFramesThatShowThePlace) {
  const FrameList frames = PlainFrames(3, 4, 5);
  SceneGeometry scene = PlaneScene(frames);
  std::vector<float> errors = DepthErrors(scene, frames);
  ASSERT_EQ(errors.size(), 60U);
  EXPECT_TRUE(std::isnan(errors[0]));  // its column is seen by no other frame
  for (size_t i = 0; i < 60; ++i) {
    if (std::isnan(errors[i])) continue;
    EXPECT_NEAR(errors[i], 0, 1e-6) << i;
  }
  // Frame 2 sees everything nearer by a quarter: of two frames the median is half of that.
  for (float& z : scene.views[2]->depth.z) z = 1.5F;
  errors = DepthErrors(scene, frames);
  EXPECT_NEAR(errors[4], 0.125, 1e-6);   // seen by 1 and 2
  EXPECT_NEAR(errors[1], 0, 1e-6);       // by 1 alone
  EXPECT_NEAR(errors[21], 0.125, 1e-6);  // of frame 1, by 0 and 2
}

TEST(SceneMatches, NeedAShareOfThePatches) {
  const FrameList frames = PlainFrames(3, 4, 5);
  const SceneMatches got = MatchesOf(PlaneScene(frames), frames, {0.05, 0.7});
  EXPECT_EQ(got.pairs.size(), 4U);  // of 0 and 2, 12 of 20 patches are seen
  EXPECT_THAT(got.notes,
              ElementsAre(HasSubstr("2 ordered pairs of pictures share less than 70 %")));
}

TEST(SceneMatches, TakeDepthThatIsTrusted) {
  const FrameList frames = PlainFrames(2, 4, 5);
  SceneGeometry scene = PlaneScene(frames);
  DepthMap& depth = scene.views[0]->depth;
  depth.confidence.assign(35, 1);
  for (size_t i = 0; i < 35; ++i) depth.confidence[i] = i % 7 == 6 ? 2 : 1;  // the right seventh
  const SceneMatches got = MatchesOf(scene, frames);
  ASSERT_EQ(got.pairs[0].frame_a, 0);
  for (const PatchMatch& match : got.pairs[0].matches) EXPECT_EQ(match.patch % 5, 4);
  EXPECT_EQ(got.pairs[0].matches.size(), 4U);
}

TEST(SceneMatches, TellWhatIsNotKnown) {
  const FrameList frames = PlainFrames(3, 4, 5);
  SceneGeometry scene = PlaneScene(frames);
  scene.views[1].reset();
  const SceneMatches got = MatchesOf(scene, frames);
  EXPECT_EQ(got.pairs.size(), 2U);
  EXPECT_THAT(got.notes, ElementsAre("1 of 3 pictures have no camera and depth in plane.json."));
}

// A picture of 200 x 100 pixels, halved, padded by 20 rows above and 6 columns at the left.
FrameTransform Padded() { return {200, 100, 100, 50, 0, 50, 20, 6, 112, 84}; }

TEST(SceneMatches, GoThroughTheTransforms) {
  FrameList frames = PlainFrames(2, 6, 8);
  frames.transforms[1] = Padded();
  const PointPair pairs[] = {{0, {15, 29}, 1, {50, 60}}, {0, {16, 30}, 1, {0, 0}}};
  const SceneMatches got = MatchesOf(pairs, frames, "matches.csv");
  ASSERT_EQ(got.pairs.size(), 2U);
  const PairMatches &there = got.pairs[0], &back = got.pairs[1];
  EXPECT_EQ(there.frame_a, 0);
  EXPECT_EQ(there.matches[0].patch, 2 * 8 + 1);
  EXPECT_EQ(there.matches[0].place.x, 31);
  EXPECT_EQ(there.matches[0].place.y, 50);
  EXPECT_EQ(back.frame_a, 1);
  EXPECT_EQ(back.matches[0].patch, 1 * 8 + 0);
  EXPECT_EQ(back.matches[1].patch, 3 * 8 + 2);
  EXPECT_EQ(back.matches[1].place.x, 15);
}

TEST(SceneMatches, PaddingShowsNothing) {
  FrameList frames = PlainFrames(2, 6, 8);
  frames.transforms[0] = frames.transforms[1] = Padded();
  SceneGeometry scene = PlaneScene(frames);
  for (auto& view : scene.views) view->camera.translation = {0, 0, 2};
  // The same camera twice: each patch that shows the picture lies at its own centre.
  const SceneMatches got = MatchesOf(scene, frames);
  for (const PatchMatch& match : got.pairs[0].matches) {
    const double x = 14 * (static_cast<double>(match.patch % 8) + 0.5);
    const double y = 14 * (static_cast<double>(match.patch / 8) + 0.5);
    EXPECT_NEAR(match.place.x, x, 1e-9);
    EXPECT_NEAR(match.place.y, y, 1e-9);
    EXPECT_TRUE(ShowsOriginal(Padded(), {x, y}));
  }
  EXPECT_EQ(got.pairs[0].matches.size(), 8U * 4);  // rows 1 … 4 begin at 14, 28, 42, 56
}

TEST(SceneMatches, CroppedPointsAreLeftOut) {
  FrameList frames = PlainFrames(2, 4, 5);
  frames.transforms[1] = {70, 112, 70, 112, 28, 56, 0, 0, 70, 56};
  const PointPair pairs[] = {{0, {1, 1}, 1, {1, 27}}, {0, {1, 1}, 1, {1, 84}}};
  const SceneMatches got = MatchesOf(pairs, frames, "matches.csv");
  EXPECT_EQ(got.count(), 2);
  EXPECT_EQ(got.pairs[0].matches[0].place.y, 56);
  EXPECT_THAT(got.notes, ElementsAre(HasSubstr("1 of 2 pairs of points are left out")));
}

// Points of a plane through the same two cameras: where COLMAP found them is where the plane is.
class ColmapMatches : public ::testing::Test {
 protected:
  ColmapMatches() {
    std::vector<ColmapImage> images;
    for (int i = 0; i < 3; ++i) {
      images.push_back(
          {fmt::format("{:02}.jpg", i), 70, 56, PlaneCamera(0.28 * i, 0, 2, 100, frames_), {}});
      images.back().camera.k1 = 0.02;
    }
    images[2].name = "another.jpg";
    model_ = testing::PlaneModel(images, 4, 0.1);
  }
  FrameList frames_ = PlainFrames(2, 4, 5);
  ColmapModel model_;
};

TEST_F(ColmapMatches, AreWhatTwoPicturesSee) {
  const SceneMatches got = MatchesOf(model_, frames_, "sparse/0");
  ASSERT_EQ(got.pairs.size(), 2U);
  EXPECT_TRUE(got.notes.empty());
  size_t expected = 0;
  for (const ColmapPoint& point : model_.points) {
    bool first = false, second = false;
    for (const ColmapObservation& o : point.track) (o.image == 0 ? first : second) |= o.image < 2;
    expected += first && second ? 1 : 0;
  }
  EXPECT_GT(expected, 20U);
  EXPECT_EQ(got.pairs[0].matches.size(), expected);
  for (const PatchMatch& match : got.pairs[0].matches) {
    // A cell to the left, but for the point's place in its cell and the distortion.
    EXPECT_NEAR(match.place.x, 14 * (static_cast<double>(match.patch % 5) - 0.5), 8);
  }
}

TEST_F(ColmapMatches, ObservationsFarFromTheirPointAreLeftOut) {
  const int64_t all = MatchesOf(model_, frames_, "a").count();
  for (const ColmapPoint& point : model_.points) {
    if (point.track.size() < 2 || point.track[0].image != 0 || point.track[1].image != 1) continue;
    model_.images[0].points[point.track[0].point].x += 4.1;
    break;
  }
  const SceneMatches got = MatchesOf(model_, frames_, "a");
  EXPECT_EQ(got.count(), all - 2);
  EXPECT_THAT(got.notes, ElementsAre(HasSubstr("1 of")));
}

TEST_F(ColmapMatches, OfOtherPicturesAreRefused) {
  model_.images[0].width = 71;
  EXPECT_THAT(ErrorOf([&] { return MatchesOf(model_, frames_, "sparse/0"); }),
              HasSubstr("sparse/0: its picture of frame 0 has 71 x 56 pixels"));
  for (ColmapImage& image : model_.images) image.name = "x/" + image.name + ".png";
  EXPECT_THAT(ErrorOf([&] { return MatchesOf(model_, frames_, "sparse/0"); }),
              HasSubstr("its pictures are not those of the export: it tells of x/00.jpg.png and"));
}

TEST_F(ColmapMatches, AreFoundInFolders) {
  const TestDir dir;
  testing::ColmapBinary(model_).Write(dir / "sparse/0", "bin");
  const int64_t expected = MatchesOf(model_, frames_, "a").count();
  EXPECT_EQ(ReadSceneMatches(dir.path(), frames_).count(), expected);
  EXPECT_EQ(ReadSceneMatches(dir / "sparse/0", frames_).count(), expected);
}

TEST(SceneMatches, AreRefusedInALine) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { return ReadSceneMatches(dir.path(), PlainFrames(2, 2, 2)); }),
              HasSubstr("holds no geometry. Give a cameras.json or a folder with a model"));
  EXPECT_THAT(ErrorOf([&] { return ReadSceneMatches(dir.path(), PlainFrames(1, 2, 2)); }),
              HasSubstr("the export has one picture alone"));
  const auto file = dir.Write("m.csv", "frame_a,x_a,y_a,frame_b,x_b,y_b\n0,1,1,1,1,1\n");
  EXPECT_EQ(ReadMatches(file, PlainFrames(2, 2, 2)).count(), 2);
  EXPECT_THAT(ErrorOf([&] { return ReadMatches(file, PlainFrames(1, 2, 2)); }),
              HasSubstr("m.csv: the export has one picture alone"));
  FrameList frames = PlainFrames(2, 2, 2);
  frames.transforms.clear();
  EXPECT_THAT(ErrorOf([&] { return ReadMatches(file, frames); }),
              HasSubstr("does not say how its pictures became frames"));
  frames = PlainFrames(2, 2, 2);
  frames.transforms[1] = {28, 280, 28, 280, 28, 28, 0, 0, 28, 28};
  EXPECT_THAT(ErrorOf([&] { return ReadMatches(file, frames); }),
              HasSubstr("no point that two pictures of the export show. 1 of 1 pairs of points"));
}

}  // namespace
}  // namespace vggt
