// SPDX-License-Identifier: Apache-2.0
#include "analysis/epipolar.h"

#include <gmock/gmock.h>

#include <cmath>

#include "geometry/camera.h"
#include "geometry/frame_cells.h"
#include "geometry_testing.h"
#include "made_store_testing.h"
#include "qk_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PlainFrames;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WithFrames;
using testing::WriteMadeStore;

double ValueOf(const EpipolarScores& scores, EpipolarMetric metric) {
  return scores.value.of(metric);
}

// Hills seen by three cameras that stand and turn differently, with true depth every four pixels.
class HillScene : public ::testing::Test {
 protected:
  HillScene() {
    scene_.text = "hills";
    for (int i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = frames_.transforms[0];
      view.camera = testing::PlaneCamera(0.5 * i, -0.2 * i, 2.5, 260, frames_);
      const double turn = -0.15 * i;
      view.camera.rotation = {
          {{std::cos(turn), 0, std::sin(turn)}, {0, 1, 0}, {-std::sin(turn), 0, std::cos(turn)}}};
      const Vector3 centre = {0.5 * i, -0.2 * i, -2.5};
      for (size_t k = 0; k < 3; ++k) {
        view.camera.translation[k] = 0;
        for (size_t j = 0; j < 3; ++j) {
          view.camera.translation[k] -= view.camera.rotation[k][j] * centre[j];
        }
      }
      const int width = view.transform.original_width / 4;
      const int height = view.transform.original_height / 4;
      view.depth = {width, height, {}, {}};
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          view.depth.z.push_back(
              static_cast<float>(DepthOf(view.camera, {4 * x + 2.0, 4 * y + 2.0})));
        }
      }
      scene_.views.emplace_back(std::move(view));
    }
  }

  // Where the ray of a pixel meets the hills.
  static double DepthOf(const Camera& camera, Point pixel) {
    double z = 2;
    for (int i = 0; i < 60; ++i) {
      const Vector3 at = WorldFromCamera(camera, Lift(camera, pixel, z));
      z += 0.5 * (0.4 * std::sin(3 * at[0]) * std::cos(2.5 * at[1]) - at[2]);
    }
    return z;
  }

  Vector3 Shown(int64_t frame, int64_t patch) const {
    const FrameView& view = *scene_.views[static_cast<size_t>(frame)];
    const Point centre = FrameCells(frames_).Centre(patch);
    return WorldFromCamera(view.camera, Lift(view.camera, centre, DepthOf(view.camera, centre)));
  }
  // q·k grows as what two patches show comes closer: 2 x·x' − |x'|².
  double Query(int64_t frame, int64_t patch, int c) const {
    return kSharpness * (c < 3 ? 2 * Shown(frame, patch)[static_cast<size_t>(c)] : c == 3 ? -1 : 0);
  }
  double Key(int64_t frame, int64_t patch, int c) const {
    const Vector3 x = Shown(frame, patch);
    if (c == 3) return x[0] * x[0] + x[1] * x[1] + x[2] * x[2];
    return c < 3 ? x[static_cast<size_t>(c)] : 0;
  }

  static constexpr double kSharpness = 2000;
  const FrameList frames_ = PlainFrames(3, 18, 24);
  SceneGeometry scene_;
  TestDir dir_;
};

TEST_F(HillScene, IsFollowed) {
  const QkStore store(WriteMadeStore(
                          dir_, frames_, [&](auto f, auto p, int c) { return Query(f, p, c); },
                          [&](auto f, auto p, int c) { return Key(f, p, c); }),
                      {});
  const EpipolarBoard board = ScoreEpipolar(store, scene_, {}, 1);
  EXPECT_THAT(board.notes, IsEmpty());
  EXPECT_EQ(board.text, "cameras of hills");
  ASSERT_EQ(board.pairs.size(), 6U);
  EXPECT_EQ(board.estimated.size(), 3U);
  EXPECT_LT(board.area, 0.2);
  const EpipolarScores& scores = board.At(0, 0);
  EXPECT_GT(ValueOf(scores, EpipolarMetric::kMassVisible), 0.95);
  EXPECT_GT(ValueOf(scores, EpipolarMetric::kInBandVisible), 0.99);
  // Answers are centres of cells: they miss the line by half a cell at most, mostly by a quarter.
  EXPECT_LT(ValueOf(scores, EpipolarMetric::kSampson), 7);
  EXPECT_GT(ValueOf(scores, EpipolarMetric::kMutual), 100);
  EXPECT_GT(ValueOf(scores, EpipolarMetric::kInliers), 0.9);
  EXPECT_LT(ValueOf(scores, EpipolarMetric::kRotation), 6);
  EXPECT_LT(ValueOf(scores, EpipolarMetric::kTranslation), 20);
}

TEST_F(HillScene, MirroredIsNotFollowed) {
  const auto mirrored = [](int64_t frame, int64_t patch) {
    return frame == 0 ? patch : patch % 24 + (17 - patch / 24) * 24;
  };
  const QkStore store(
      WriteMadeStore(
          dir_, frames_, [&](auto f, auto p, int c) { return Query(f, mirrored(f, p), c); },
          [&](auto f, auto p, int c) { return Key(f, mirrored(f, p), c); }),
      {});
  const EpipolarBoard board = ScoreEpipolar(store, scene_, {}, 1);
  // From 0 to the mirrored pictures: near the axis alone a line meets its mirror image.
  for (size_t p = 0; p < board.pairs.size(); ++p) {
    if (board.pairs[p].frame_a == 0) {
      EXPECT_LT(board.At(0, 0).pair_mass[p], 0.3);
    }
  }
}

TEST_F(HillScene, UniformComesToTheArea) {
  const auto zero = [](int64_t, int64_t, int) { return 0; };
  const auto one = [](int64_t, int64_t, int) { return 1; };
  const QkStore store(WriteMadeStore(dir_, frames_, zero, one), {});
  // Something hides a part of picture 1.
  FrameView& view = *scene_.views[1];
  for (size_t i = 0; i < view.depth.z.size(); ++i) {
    if (i % static_cast<size_t>(view.depth.width) < 25) view.depth.z[i] = 0.5F;
  }
  const EpipolarBoard board = ScoreEpipolar(store, scene_, 0, 1);
  EXPECT_GT(board.rows_hidden, 50);
  EXPECT_GT(board.rows_visible, 50);
  const EpipolarScores& scores = board.At(0, 0);
  EXPECT_NEAR(ValueOf(scores, EpipolarMetric::kMass), board.area, 1e-7);
  EXPECT_NEAR(ValueOf(scores, EpipolarMetric::kMassVisible), board.area_visible, 1e-7);
  EXPECT_NEAR(ValueOf(scores, EpipolarMetric::kMassHidden), board.area_hidden, 1e-7);
  for (size_t p = 0; p < board.pairs.size(); ++p) {
    EXPECT_NEAR(scores.pair_mass[p], board.pairs[p].area, 1e-7);
  }
  // Of equal logits the first patch is the answer; one of a pair alone answers it back.
  EXPECT_LE(ValueOf(scores, EpipolarMetric::kMutual), 1);
  EXPECT_EQ(ValueOf(scores, EpipolarMetric::kRotation), 180);
  EXPECT_TRUE(std::isnan(ValueOf(scores, EpipolarMetric::kInliers)));
}

TEST_F(HillScene, NeedsCamerasApart) {
  const auto zero = [](int64_t, int64_t, int) { return 0; };
  const QkStore store(WriteMadeStore(dir_, frames_, zero, zero), {});
  // Camera 1 turns where camera 0 stands.
  Camera& turned = scene_.views[1]->camera;
  for (size_t k = 0; k < 3; ++k) turned.translation[k] = 2.5 * turned.rotation[k][2];
  EpipolarBoard board = ScoreEpipolar(store, scene_, {}, 1);
  EXPECT_EQ(board.pairs.size(), 4U);
  EXPECT_THAT(board.notes, ElementsAre(HasSubstr("2 of 6 ordered pairs of pictures are left out, "
                                                 "because their cameras stand closer than 1 %")));
  scene_.views[2].reset();
  board = ScoreEpipolar(store, scene_, {}, 1);
  EXPECT_THAT(board.pairs, IsEmpty());
  EXPECT_THAT(board.scores, IsEmpty());
  EXPECT_THAT(board.notes, ElementsAre(HasSubstr("of a pure rotation the fundamental matrix is"),
                                       HasSubstr("4 of 6 ordered pairs of pictures are left out, "
                                                 "because a camera is not known")));
  // Without depth their own distances count.
  scene_.views[0]->depth = scene_.views[1]->depth = {};
  turned.translation[0] += 1e-9;
  EXPECT_EQ(ScoreEpipolar(store, scene_, {}, 1).pairs.size(), 2U);
}

TEST(Epipolar, OfOnePictureIsNothing) {
  const TestDir dir;
  const FrameList frames = PlainFrames(1, 3, 4);
  const auto zero = [](int64_t, int64_t, int) { return 0; };
  const QkStore store(WriteMadeStore(dir, frames, zero, zero), {});
  const EpipolarBoard board = ScoreEpipolar(store, {{std::nullopt}, "none"}, {}, 1);
  EXPECT_THAT(board.notes, ElementsAre("One picture alone has no epipolar lines."));
  EXPECT_THAT(board.pairs, IsEmpty());
}

// A random store, with rotary embedding and special tokens, by plain loops in double precision.
// Lines are drawn through two points of the ray, without any F.
TEST(Epipolar, EqualsTheSlowWay) {
  const FrameList frames = PlainFrames(3, 5, 7);
  const QkDescription d = WithFrames(SmallQkDescription(3, 5, 7), frames);
  const TestDir dir;
  const QkStore store(testing::WriteQkStore(dir.path(), d), {});
  SceneGeometry scene{{}, "known", true};
  for (int i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = frames.transforms[0];
    view.camera = testing::PlaneCamera(0.6 * i, 0.2 * i * i, 2, 80, frames);
    scene.views.emplace_back(view);
  }
  const EpipolarBoard board = ScoreEpipolar(store, scene, 0, 1);
  EXPECT_EQ(board.text, "cameras predicted by known");
  const QkBlocks& blocks = d.blocks[0];
  const TokenGrid grid = d.token_grid(blocks);
  const FrameCells cells(frames);
  for (size_t layer = 0; layer < 2; ++layer) {
    for (int head = 1; head <= 3; ++head) {
      const testing::SlowAttention slow(d, blocks, layer, head, false);
      double mass = 0, area = 0, hits = 0;
      int64_t rows = 0;
      for (const EpipolarPair& pair : board.pairs) {
        const Camera& a = scene.views[static_cast<size_t>(pair.frame_a)]->camera;
        const Camera& b = scene.views[static_cast<size_t>(pair.frame_b)]->camera;
        for (int64_t i = 0; i < grid.patches(); ++i) {
          const auto at_depth = [&](double z) {
            return *Project(b, CameraFromWorld(b, WorldFromCamera(a, Lift(a, cells.Centre(i), z))));
          };
          const Point near = at_depth(1), far = at_depth(9);
          const double length = std::hypot(far.x - near.x, far.y - near.y);
          double all = 0, inside = 0, most = -1e300;
          int64_t band = 0;
          bool hit = false;
          for (int64_t j = 0; j < grid.patches(); ++j) {
            const double logit =
                slow.Logit(grid.first_patch(pair.frame_a) + i, grid.first_patch(pair.frame_b) + j);
            const Point c = cells.Centre(j);
            const double off =
                std::abs((far.x - near.x) * (c.y - near.y) - (far.y - near.y) * (c.x - near.x)) /
                length;
            const bool in_band = off <= 14;
            all += std::exp(logit);
            inside += in_band ? std::exp(logit) : 0;
            band += in_band ? 1 : 0;
            if (logit > most) {
              most = logit;
              hit = in_band;
            }
          }
          if (band == 0) continue;
          ++rows;
          mass += inside / all;
          area += static_cast<double>(band) / static_cast<double>(grid.patches());
          hits += hit ? 1 : 0;
        }
      }
      const auto count = static_cast<double>(rows);
      const EpipolarScores& got = board.At(layer, head - 1);
      EXPECT_EQ(board.rows, rows);
      EXPECT_NEAR(board.area, area / count, 1e-9);
      EXPECT_NEAR(ValueOf(got, EpipolarMetric::kMass), mass / count, 1e-5);
      EXPECT_NEAR(ValueOf(got, EpipolarMetric::kInBand), hits / count, 1.5 / count);
      EXPECT_TRUE(std::isnan(ValueOf(got, EpipolarMetric::kMassHidden)));  // without depth
    }
  }
}

TEST(Epipolar, DoesNotDependOnThreads) {
  const FrameList frames = PlainFrames(3, 5, 7);
  const TestDir dir;
  const QkStore store(
      testing::WriteQkStore(dir.path(), WithFrames(SmallQkDescription(3, 5, 7), frames)), {});
  SceneGeometry scene{{}, "known"};
  for (int i = 0; i < 3; ++i) {
    FrameView view;
    view.transform = frames.transforms[0];
    view.camera = testing::PlaneCamera(0.6 * i, 0, 2, 80, frames);
    scene.views.emplace_back(view);
  }
  const int before = ThreadCount();
  SetThreadCount(1);
  const EpipolarBoard one = ScoreEpipolar(store, scene, 9, 1);
  SetThreadCount(4);
  const EpipolarBoard four = ScoreEpipolar(store, scene, 9, 1);
  SetThreadCount(before);
  EXPECT_THAT(one.sample, HasSubstr("9 of 35 patches"));
  ASSERT_EQ(one.scores.size(), four.scores.size());
  for (size_t i = 0; i < one.scores.size(); ++i) {
    EXPECT_EQ(one.scores[i].pair_mass, four.scores[i].pair_mass);
    for (size_t m = 0; m < kEpipolarMetrics; ++m) {
      const double a = one.scores[i].value[m], b = four.scores[i].value[m];
      EXPECT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << EpipolarMetrics()[m].name;
    }
  }
  const auto order = MostEpipolarHeads(one, 4);
  ASSERT_EQ(order.size(), 4U);
  EXPECT_GE(ValueOf(one.scores[order[0]], EpipolarMetric::kMass),
            ValueOf(one.scores[order[3]], EpipolarMetric::kMass));
}

}  // namespace
}  // namespace vggt
