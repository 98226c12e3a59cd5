// SPDX-License-Identifier: Apache-2.0
#include "image/video_choice.h"

#include <gmock/gmock.h>

#include <numeric>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

// Chooses from `count` frames that are `step` seconds apart.
std::vector<size_t> ChooseSteady(int count, double step, const VideoChoice& choice) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(i * step);
  return ChooseFrames(times, count * step, choice, "clip.mp4");
}

std::vector<size_t> Choose(std::vector<double> times, double duration, const VideoChoice& choice) {
  return ChooseFrames(times, duration, choice, "clip.mp4");
}

TEST(ChooseFrames, EvenlyIsEvenInTime) {
  EXPECT_THAT(ChooseSteady(10, 0.04, {.num_images = 5}), ElementsAre(0, 2, 4, 6, 8));
  EXPECT_THAT(ChooseSteady(10, 0.04, {.num_images = 1}), ElementsAre(0));
  EXPECT_THAT(ChooseSteady(100, 0.04, {}), ElementsAre(0, 20, 40, 60, 80));
  // Ten frames in the first second, then one frame each second.
  std::vector<double> times;
  for (int i = 0; i < 10; ++i) times.push_back(i * 0.1);
  for (int i = 1; i < 10; ++i) times.push_back(i);
  EXPECT_THAT(Choose(times, 10, {.num_images = 5}), ElementsAre(0, 11, 13, 15, 17));
}

TEST(ChooseFrames, EvenlyTakesEachFrameOnce) {
  EXPECT_THAT(ChooseSteady(3, 1, {.num_images = 7}), ElementsAre(0, 1, 2));
  // One frame is shown so long that all wanted times are nearest to it.
  EXPECT_THAT(Choose({0, 0.1, 0.2, 0.3, 0.4}, 100, {.num_images = 4}), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(Choose({0, 99.7, 99.8, 99.9}, 100, {.num_images = 3}), ElementsAre(0, 1, 2));
  EXPECT_THAT(Choose({0}, 0, {.num_images = 3}), ElementsAre(0));
}

TEST(ChooseFrames, RateTakesTheNearest) {
  EXPECT_THAT(ChooseSteady(90, 1 / 30.0, {.fps = 1}), ElementsAre(0, 30, 60));
  EXPECT_THAT(ChooseSteady(91, 1 / 30.0, {.fps = 1}), ElementsAre(0, 30, 60, 90));
  EXPECT_THAT(ChooseSteady(100, 0.1, {.fps = 0.25}), ElementsAre(0, 40, 80));
  EXPECT_THAT(ChooseSteady(6, 1 / 3.0, {.fps = 2}), ElementsAre(0, 1, 3, 4));  // 0.5: tie
  EXPECT_THAT(ChooseSteady(4, 0.5, {.fps = 1000, .num_images = 9}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ChooseSteady(4, 0.5, {.fps = 1e-9}), ElementsAre(0));
}

TEST(ChooseFrames, RateSkipsWhatStandsStill) {
  // There is no frame between 1 s and 9 s: the nearest frame is taken only once.
  EXPECT_THAT(Choose({0, 1, 9, 10}, 11, {.fps = 1}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Choose({0, 0.1, 0.2, 5}, 6, {.fps = 1}), ElementsAre(0, 2, 3));
  EXPECT_THAT(Choose({0, 1e9}, 2e9, {.fps = 1000}), ElementsAre(0, 1));
}

TEST(ChooseFrames, EveryCountsFrames) {
  EXPECT_THAT(Choose({0, 0.1, 5, 5.1, 9, 9.1, 9.2}, 10, {.every = 3}), ElementsAre(0, 3, 6));
  EXPECT_THAT(ChooseSteady(3, 1, {.every = 1}), ElementsAre(0, 1, 2));
  EXPECT_THAT(ChooseSteady(3, 1, {.every = INT64_MAX}), ElementsAre(0));
}

TEST(ChooseFrames, ANumberBoundsRateAndEvery) {
  EXPECT_THAT(ChooseSteady(9, 1, {.fps = 1, .num_images = 2}), ElementsAre(0, 1));
  EXPECT_THAT(ChooseSteady(9, 1, {.every = 2, .num_images = 3}), ElementsAre(0, 2, 4));
  EXPECT_EQ(ChooseSteady(2000, 1, {.every = 1, .num_images = 1500}).size(), 1500u);
  EXPECT_EQ(ChooseSteady(2000, 1, {.num_images = 1500}).size(), 1500u);
  EXPECT_EQ(ChooseSteady(1000, 1, {.every = 1}).size(), 1000u);
  EXPECT_EQ(ErrorOf([] { return ChooseSteady(1001, 1, {.every = 1}); }),
            "clip.mp4: 1001 of its 1001 frames would be taken, more than 1000. Give a larger "
            "`every`, or `num_images` for the most that are taken.");
  EXPECT_THAT(ErrorOf([] { return ChooseSteady(2002, 1, {.fps = 0.5}); }),
              HasSubstr("1001 of its 2002 frames would be taken, more than 1000. Give a smaller "
                        "`fps`"));
}

TEST(ChooseFrames, RefusesWishesOutOfRange) {
  for (const VideoChoice& wrong :
       {VideoChoice{.fps = 0}, VideoChoice{.fps = -1}, VideoChoice{.fps = INFINITY},
        VideoChoice{.fps = NAN}, VideoChoice{.every = 0}, VideoChoice{.num_images = 0},
        VideoChoice{.fps = 1, .every = 1}}) {
    EXPECT_NE(ErrorOf([&] { return ChooseSteady(3, 1, wrong); }), "");
  }
}

}  // namespace
}  // namespace vggt
