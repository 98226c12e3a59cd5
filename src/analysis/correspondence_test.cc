// SPDX-License-Identifier: Apache-2.0
#include "analysis/correspondence.h"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "geometry_testing.h"
#include "made_store_testing.h"
#include "qk_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WithFrames;
using testing::WriteMadeStore;

double NumberOf(const MatchNumbers& numbers, MatchMetric metric) { return numbers.of(metric); }

// `count` matches of each ordered pair, of patches and places drawn at random.
SceneMatches RandomMatches(const FrameList& frames, int count) {
  std::mt19937 engine(3);
  std::uniform_real_distribution<double> share(0, 1);
  const FrameCells cells(frames);
  SceneMatches out;
  for (int64_t a = 0; a < frames.frames; ++a) {
    for (int64_t b = 0; b < frames.frames; ++b) {
      if (a == b) continue;
      PairMatches pair{a, b, {}};
      for (int i = 0; i < count; ++i) {
        const auto patch = static_cast<int64_t>(share(engine) * 0.999 * double(cells.patches()));
        pair.matches.push_back(
            {patch, {share(engine) * cells.width, share(engine) * cells.height}});
      }
      std::stable_sort(pair.matches.begin(), pair.matches.end(),
                       [](const auto& x, const auto& y) { return x.patch < y.patch; });
      out.pairs.push_back(pair);
    }
  }
  return out;
}

// The centre of each patch of a lies at the centre of the same patch of b.
SceneMatches SameCellMatches(const FrameList& frames) {
  const FrameCells cells(frames);
  SceneMatches out = RandomMatches(frames, 0);
  for (PairMatches& pair : out.pairs) {
    for (int64_t i = 0; i < cells.patches(); ++i) pair.matches.push_back({i, cells.Centre(i)});
  }
  return out;
}

HitScores ScoreOf(const QkStore& store, const SceneMatches& matches) {
  return ScoreHeads(store, matches, 0).At(0, 0);
}

// Answers by plain loops over logits in double precision. A float32 logit is off by less than 3e-5
// (attention/tiles_test.cc), so another answer may win by twice that.
TEST(Correspondence, AnswersEqualTheSlowWay) {
  for (const Attends attends : {Attends::kAll, Attends::kCausal}) {
    QkDescription d = WithFrames(SmallQkDescription(3, 5, 7), PlainFrames(3, 5, 7));
    d.blocks[0].attends = attends;
    const TestDir dir;
    const QkStore store(testing::WriteQkStore(dir.path(), d), {});
    const SceneMatches matches = RandomMatches(d, 12);
    const QkBlocks& blocks = d.blocks[0];
    const TokenGrid grid = d.token_grid(blocks);
    for (size_t layer = 0; layer < 2; ++layer) {
      for (int head = 1; head <= 3; ++head) {
        const auto got = FindAnswers(store, {BlockKind::kGlobal, layer, head}, matches);
        const testing::SlowAttention slow(d, blocks, layer, head, false);
        const auto expect_best = [&](int64_t from, int64_t patch, int64_t to, int32_t answer) {
          ASSERT_GE(answer, 0);
          ASSERT_LT(answer, grid.patches());
          const int64_t query = grid.first_patch(from) + patch;
          double largest = -1e300;
          for (int64_t j = 0; j < grid.patches(); ++j) {
            largest = std::max(largest, slow.Logit(query, grid.first_patch(to) + j));
          }
          ASSERT_GE(slow.Logit(query, grid.first_patch(to) + answer), largest - 6e-5);
        };
        ASSERT_EQ(got.size(), matches.pairs.size());
        for (size_t p = 0; p < got.size(); ++p) {
          const PairMatches& pair = matches.pairs[p];
          ASSERT_EQ(got[p].best.size(), pair.matches.size());
          for (size_t i = 0; i < got[p].best.size(); ++i) {
            expect_best(pair.frame_a, pair.matches[i].patch, pair.frame_b, got[p].best[i]);
            if (attends == Attends::kCausal && pair.frame_b < pair.frame_a) {
              EXPECT_EQ(got[p].back[i], -1);
            } else {
              expect_best(pair.frame_b, got[p].best[i], pair.frame_a, got[p].back[i]);
            }
          }
        }
      }
    }
  }
}

// Scores by plain loops, from the definitions.
TEST(Correspondence, ScoresEqualTheSlowWay) {
  const FrameList frames = PlainFrames(3, 5, 7);
  const SceneMatches matches = RandomMatches(frames, 17);
  std::mt19937 engine(5);
  std::vector<PairAnswers> answers(matches.pairs.size());
  std::vector<double> errors;
  double hits[3] = {}, pck[2] = {}, pck_chance[2] = {}, mutual = 0, chance[3] = {}, same[3] = {},
         shuffled[3] = {};
  const auto near = [](int64_t a, int64_t b, int r) {
    return std::abs(a / 7 - b / 7) <= r && std::abs(a % 7 - b % 7) <= r ? 1 : 0;
  };
  for (size_t p = 0; p < answers.size(); ++p) {
    const auto& list = matches.pairs[p].matches;
    std::vector<int64_t> truth;
    for (const PatchMatch& match : list) {
      const int64_t cell =
          static_cast<int64_t>(match.place.y / 14) * 7 + static_cast<int64_t>(match.place.x / 14);
      truth.push_back(cell);
      // Every third answer is right.
      answers[p].best.push_back(engine() % 3 == 0 ? static_cast<int32_t>(cell)
                                                  : static_cast<int32_t>(engine() % 35));
      answers[p].back.push_back(engine() % 2 == 0 ? static_cast<int32_t>(match.patch) : 34);
    }
    for (size_t i = 0; i < list.size(); ++i) {
      const int64_t best = answers[p].best[i];
      for (int r = 0; r < 3; ++r) {
        hits[r] += near(best, truth[i], r);
        same[r] += near(list[i].patch, truth[i], r);
        for (int64_t j = 0; j < 35; ++j) chance[r] += near(j, truth[i], r) / 35.0;
        for (const int64_t other : truth) shuffled[r] += near(best, other, r) / 17.0;
      }
      for (int64_t j = 0; j < 35; ++j) {
        const double apart = std::hypot(14 * (double(j % 7) + 0.5) - list[i].place.x,
                                        14 * (double(j / 7) + 0.5) - list[i].place.y);
        pck_chance[0] += apart <= 0.05 * 98 ? 1 / 35.0 : 0;
        pck_chance[1] += apart <= 0.1 * 98 ? 1 / 35.0 : 0;
      }
      const double x = 14 * (double(best % 7) + 0.5), y = 14 * (double(best / 7) + 0.5);
      errors.push_back(std::hypot(x - list[i].place.x, y - list[i].place.y));
      pck[0] += errors.back() <= 0.05 * 98;
      pck[1] += errors.back() <= 0.1 * 98;
      mutual += answers[p].back[i] == list[i].patch;
    }
  }
  const double n = 6 * 17;
  const MatchScorer scorer(matches, frames);
  const HitScores got = scorer.Score(answers);
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_NEAR(got.value[r], hits[r] / n, 1e-12);
    EXPECT_NEAR(got.shuffled[r], shuffled[r] / n, 1e-12);
    EXPECT_NEAR(scorer.baselines().chance[r], chance[r] / n, 1e-12);
    EXPECT_NEAR(scorer.baselines().same_cell[r], same[r] / n, 1e-12);
    EXPECT_NEAR(got.standard_error[r], std::sqrt(hits[r] / n * (1 - hits[r] / n) / n), 1e-12);
  }
  EXPECT_NEAR(NumberOf(got.value, MatchMetric::kPck05), pck[0] / n, 1e-12);
  EXPECT_NEAR(NumberOf(got.value, MatchMetric::kPck10), pck[1] / n, 1e-12);
  EXPECT_NEAR(NumberOf(got.value, MatchMetric::kMutual), mutual / n, 1e-12);
  EXPECT_NEAR(NumberOf(scorer.baselines().chance, MatchMetric::kPck05), pck_chance[0] / n, 1e-12);
  EXPECT_NEAR(NumberOf(scorer.baselines().chance, MatchMetric::kPck10), pck_chance[1] / n, 1e-12);
  std::sort(errors.begin(), errors.end());
  EXPECT_NEAR(NumberOf(got.value, MatchMetric::kMedianError), (errors[50] + errors[51]) / 2, 1e-12);
  // (n - 1) / 2 ± √n / 2 = 50.5 ± 5.05
  EXPECT_NEAR(NumberOf(got.standard_error, MatchMetric::kMedianError),
              (errors[56] - errors[45]) / 2, 1e-12);
  EXPECT_TRUE(std::isnan(NumberOf(got.shuffled, MatchMetric::kMutual)));
  EXPECT_TRUE(std::isnan(NumberOf(scorer.baselines().chance, MatchMetric::kMedianError)));
  EXPECT_TRUE(std::isnan(NumberOf(scorer.baselines().same_cell, MatchMetric::kMutual)));
}

TEST(Correspondence, ChanceCountsBorders) {
  const FrameList frames = PlainFrames(2, 5, 7);
  SceneMatches matches;
  matches.pairs = {{0, 1, {{0, {1, 1}}}}, {1, 0, {{0, {49, 35}}}}};  // a corner, the middle
  const MatchBaselines baselines = MatchScorer(matches, frames).baselines();
  EXPECT_DOUBLE_EQ(baselines.pair_chance1[0], 4 / 35.0);
  EXPECT_DOUBLE_EQ(baselines.pair_chance1[1], 9 / 35.0);
  EXPECT_DOUBLE_EQ(NumberOf(baselines.chance, MatchMetric::kHit0), 1 / 35.0);
  EXPECT_DOUBLE_EQ(NumberOf(baselines.chance, MatchMetric::kHit2), (9 + 25) / 70.0);
  EXPECT_EQ(baselines.pair_same_cell1, (std::vector<double>{1, 0}));
}

// Queries that are their own keys, the same in all frames.
TEST(Correspondence, IdentityFindsEveryCell) {
  const TestDir dir;
  const FrameList frames = PlainFrames(3, 5, 6);
  const auto bits = [](int64_t, int64_t patch, int c) { return (patch >> c & 1) != 0 ? 8 : -8; };
  const QkStore store(WriteMadeStore(dir, frames, bits, bits), {});
  const HitScores got = ScoreOf(store, SameCellMatches(frames));
  for (size_t m = 0; m + 1 < kMatchMetrics; ++m) {
    EXPECT_EQ(got.value[m], 1) << MatchMetrics()[m].name;
    EXPECT_EQ(got.standard_error[m], 0);
  }
  EXPECT_EQ(NumberOf(got.value, MatchMetric::kMedianError), 0);
}

// Equal logits: the first patch is the answer.
TEST(Correspondence, TiesGoToTheFirstPatch) {
  const TestDir dir;
  const FrameList frames = PlainFrames(2, 9, 11);
  const auto zero = [](int64_t, int64_t, int) { return 0; };
  const auto one = [](int64_t, int64_t, int) { return 1; };
  const QkStore store(WriteMadeStore(dir, frames, zero, one), {});
  const auto answers = FindAnswers(store, {BlockKind::kGlobal, 0, 1}, SameCellMatches(frames));
  for (const PairAnswers& pair : answers) {
    EXPECT_THAT(pair.best, ::testing::Each(0));
    EXPECT_THAT(pair.back, ::testing::Each(0));
  }
  const HitScores got = ScoreOf(store, SameCellMatches(frames));
  EXPECT_DOUBLE_EQ(NumberOf(got.value, MatchMetric::kHit0), 1 / 99.0);
  EXPECT_DOUBLE_EQ(NumberOf(got.value, MatchMetric::kHit1), 4 / 99.0);
  EXPECT_DOUBLE_EQ(NumberOf(got.value, MatchMetric::kMutual), 1 / 99.0);
}

// A plane seen by cameras that stand and turn differently. q·k grows as the points that two patches
// show come closer: 2 x·x' - |x'|².
class PlaneScene : public ::testing::Test {
 protected:
  PlaneScene() {
    scene_.text = "plane";
    for (int64_t i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = frames_.transforms[static_cast<size_t>(i)];
      view.camera = testing::PlaneCamera(0.2 * double(i), -0.1 * double(i), 2, 200, frames_);
      const double angle = 0.15 * double(i);  // about the camera's axis
      view.camera.rotation = {{{std::cos(angle), -std::sin(angle), 0},
                               {std::sin(angle), std::cos(angle), 0},
                               {0, 0, 1}}};
      view.depth = {1, 1, {2}, {}};
      scene_.views.emplace_back(view);
    }
  }

  Vector3 Shown(int64_t frame, int64_t patch) const {
    const FrameView& view = *scene_.views[static_cast<size_t>(frame)];
    const Point centre = FrameCells(frames_).Centre(patch);
    return WorldFromCamera(view.camera, Lift(view.camera, centre, 2));
  }
  double Query(int64_t frame, int64_t patch, int c) const {
    return c < 2 ? 2 * Shown(frame, patch)[c] : c == 2 ? -1 : 0;
  }
  double Key(int64_t frame, int64_t patch, int c) const {
    const Vector3 x = Shown(frame, patch);
    return c < 2 ? x[c] : c == 2 ? x[0] * x[0] + x[1] * x[1] : 0;
  }

  const FrameList frames_ = PlainFrames(3, 15, 20);
  SceneGeometry scene_;
  TestDir dir_;
};

TEST_F(PlaneScene, IsFound) {
  const QkStore store(WriteMadeStore(
                          dir_, frames_, [&](auto f, auto p, int c) { return Query(f, p, c); },
                          [&](auto f, auto p, int c) { return Key(f, p, c); }),
                      {});
  const SceneMatches matches = MatchesOf(scene_, frames_);
  ASSERT_EQ(matches.pairs.size(), 6U);
  const MatchBoard board = ScoreHeads(store, matches, {});
  EXPECT_GE(NumberOf(board.At(0, 0).value, MatchMetric::kHit1), 0.99);
  EXPECT_GE(NumberOf(board.At(0, 0).value, MatchMetric::kHit0),
            0.9);  // centres lie at the edge of cells
  EXPECT_GE(NumberOf(board.At(0, 0).value, MatchMetric::kPck05), 0.99);
  EXPECT_LT(NumberOf(board.baselines.same_cell, MatchMetric::kHit1), 0.4);
  EXPECT_LT(NumberOf(board.At(0, 0).shuffled, MatchMetric::kHit1), 0.06);
}

TEST_F(PlaneScene, MirroredIsNotFound) {
  // Pictures 1 and 2 are mirrored, but the matches are not.
  const auto mirrored = [](int64_t frame, int64_t patch) {
    return frame == 0 ? patch : patch / 20 * 20 + 19 - patch % 20;
  };
  const QkStore store(
      WriteMadeStore(
          dir_, frames_, [&](auto f, auto p, int c) { return Query(f, mirrored(f, p), c); },
          [&](auto f, auto p, int c) { return Key(f, mirrored(f, p), c); }),
      {});
  SceneMatches matches = MatchesOf(scene_, frames_);
  std::erase_if(matches.pairs, [](const auto& pair) { return pair.frame_a > 0; });
  const MatchBoard board = ScoreHeads(store, matches, 0);
  // Only near the axis does the mirror image stand where the point is.
  int64_t near_axis = 0;
  for (const PairMatches& pair : matches.pairs) {
    for (const PatchMatch& match : pair.matches) {
      near_axis += std::abs(match.place.x - 140) < 28 ? 1 : 0;
    }
  }
  const double most = double(near_axis) / double(matches.count());
  ASSERT_LT(most, 0.25);
  EXPECT_LE(NumberOf(board.At(0, 0).value, MatchMetric::kHit1), most);
  EXPECT_LE(NumberOf(board.At(0, 0).value, MatchMetric::kHit0), 0.05);
}

// Pictures of different scenes: nothing can be found.
TEST(Correspondence, ShuffledScenesAreAtChance) {
  const TestDir dir;
  const FrameList frames = PlainFrames(4, 13, 17);
  std::mt19937 engine(11);
  std::normal_distribution<double> value;
  const auto drawn = [&](int64_t, int64_t, int) { return value(engine); };
  const QkStore store(WriteMadeStore(dir, frames, drawn, drawn), {});
  const SceneMatches matches = RandomMatches(frames, 200);
  const MatchBoard board = ScoreHeads(store, matches, 0);
  for (size_t r = 0; r < 3; ++r) {
    const HitScores& got = board.At(0, 0);
    EXPECT_NEAR(got.value[r], board.baselines.chance[r], 3 * got.standard_error[r]) << r;
    EXPECT_NEAR(got.shuffled[r], board.baselines.chance[r], 3 * got.standard_error[r]) << r;
    EXPECT_NEAR(board.baselines.same_cell[r], board.baselines.chance[r], 3 * got.standard_error[r]);
  }
}

class SmallBoard : public ::testing::Test {
 protected:
  void SetUp() override { threads_ = ThreadCount(); }
  void TearDown() override { SetThreadCount(threads_); }
  QkStore Open(const QkDescription& d) {
    return {testing::WriteQkStore(dir_.path(), WithFrames(d, PlainFrames(d.frames, 3, 4))), {}};
  }
  TestDir dir_;
  int threads_ = 1;
};

TEST_F(SmallBoard, DoesNotDependOnThreads) {
  const QkStore store = Open(SmallQkDescription());
  const SceneMatches matches = RandomMatches(store.description(), 30);
  std::vector<double> told;
  SetThreadCount(1);
  const MatchBoard one = ScoreHeads(store, matches, 0, {}, [&](double p) { told.push_back(p); });
  SetThreadCount(3);
  const MatchBoard three = ScoreHeads(store, matches, 0);
  EXPECT_EQ(one.layers, (std::vector<int64_t>{0, 4}));
  ASSERT_EQ(one.scores.size(), 6U);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(one.scores[i].value, three.scores[i].value);
  EXPECT_EQ(told.size(), 6U);
  EXPECT_EQ(told.back(), 1);
  EXPECT_THAT(one.sample, HasSubstr("all 180 matches of 6 ordered pairs of pictures"));
}

TEST_F(SmallBoard, TakesASample) {
  const QkStore store = Open(SmallQkDescription());
  const SceneMatches matches = SameCellMatches(store.description());
  const MatchBoard board = ScoreHeads(store, matches, 5);
  EXPECT_EQ(board.matches.count(), 6 * 5);
  EXPECT_EQ(board.sample,
            "30 of 72 matches, those of 5 patches of each picture, of 6 ordered "
            "pairs of pictures");
  // The same heads as a whole, of those patches alone.
  const MatchBoard all = ScoreHeads(store, matches, 0);
  EXPECT_EQ(all.matches.count(), 72);
  EXPECT_NE(board.scores[0].value, all.scores[0].value);
}

TEST_F(SmallBoard, LeavesOutWhatIsNotAttendedTo) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].attends = Attends::kCausal;
  const QkStore store = Open(d);
  const MatchBoard board = ScoreHeads(store, SameCellMatches(store.description()), 0);
  EXPECT_EQ(board.matches.pairs.size(), 3U);
  for (const PairMatches& pair : board.matches.pairs) EXPECT_GT(pair.frame_a, pair.frame_b);
  EXPECT_THAT(board.matches.notes.back(), HasSubstr("3 of 6 ordered pairs"));
  EXPECT_TRUE(std::isnan(NumberOf(board.At(0, 0).value, MatchMetric::kMutual)));
}

TEST_F(SmallBoard, OrdersHeads) {
  MatchBoard board;
  board.layers = {0, 1};
  board.heads = 2;
  board.scores.resize(4);
  const double hit1[] = {0.2, 0.5, 0.5, 0.2}, hit0[] = {0.1, 0.3, 0.4, 0.1};
  for (size_t i = 0; i < 4; ++i) {
    board.scores[i].value.of(MatchMetric::kHit0) = hit0[i];
    board.scores[i].value.of(MatchMetric::kHit1) = hit1[i];
  }
  EXPECT_THAT(BestHeads(board, 3), ::testing::ElementsAre(2, 1, 0));
  EXPECT_EQ(BestHeads(board, 10).size(), 4U);
}

TEST_F(SmallBoard, RefusesWhatItCannotAsk) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].attends = Attends::kFrame;
  const QkStore store = Open(d);
  const SceneMatches matches = SameCellMatches(store.description());
  EXPECT_THAT(ErrorOf([&] { return ScoreHeads(store, matches, {}); }),
              HasSubstr("there is no match that the global blocks could find"));
  EXPECT_THAT(ErrorOf([&] {
                return FindAnswers(store, {BlockKind::kGlobal, 7, 1}, matches);
              }),
              HasSubstr("layer"));
  d.blocks.erase(d.blocks.begin());
  const QkStore without = Open(d);
  EXPECT_THAT(ErrorOf([&] { return ScoreHeads(without, matches, {}); }), HasSubstr("global"));
}

TEST(Correspondence, RefusesValuesThatAreNoNumbers) {
  const TestDir dir;
  const FrameList frames = PlainFrames(2, 3, 3);
  const auto one = [](int64_t, int64_t patch, int) { return patch == 4 ? std::nan("") : 1; };
  const QkStore store(WriteMadeStore(dir, frames, one, one), {});
  EXPECT_THAT(ErrorOf([&] { return ScoreHeads(store, SameCellMatches(frames), 0); }),
              HasSubstr("global_01.safetensors"));
}

TEST(ScoresOfHeads, GoOnWhereTheyStopped) {
  const TestDir dir;
  QkDescription d = WithFrames(SmallQkDescription(), PlainFrames(3, 3, 4));
  const QkStore store(testing::WriteQkStore(dir.path(), d), {});
  const SceneMatches matches = RandomMatches(d, 9);
  const MatchBoard whole = ScoreHeads(store, matches, 0);
  MatchBoard board = BeginScores(store, matches, 0);
  EXPECT_TRUE(board.scores.empty());
  EXPECT_EQ(board.layers, whole.layers);
  const auto stop = [](double) { throw testing::Cancelled(); };
  for (size_t heads = 1; heads <= 4; ++heads) {
    EXPECT_THROW(ContinueScores(store, board, {}, stop), testing::Cancelled);
    EXPECT_EQ(board.scores.size(), heads);
  }
  ContinueScores(store, board);
  ASSERT_EQ(board.scores.size(), whole.scores.size());
  for (size_t i = 0; i < board.scores.size(); ++i) {
    for (size_t m = 0; m < 3; ++m) {
      EXPECT_EQ(board.scores[i].value[m], whole.scores[i].value[m]);
    }
  }
  EXPECT_EQ(board.baselines.chance[1], whole.baselines.chance[1]);
}

}  // namespace
}  // namespace vggt
