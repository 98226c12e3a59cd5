// SPDX-License-Identifier: Apache-2.0
#include "analysis/epipolar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "analysis/correspondence.h"
#include "analysis/row_sample.h"
#include "analysis/two_view.h"
#include "attention/softmax_groups.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "geometry/frame_cells.h"
#include "geometry/frame_view.h"
#include "geometry/scene_matches.h"

namespace vggt {
namespace {

constexpr double kUsualEpipolarProducts = 3e11;
constexpr int64_t kLeastEpipolarRows = 16;
constexpr double kLeastBaseline = 0.01;  // of the depth
constexpr size_t kMostEstimated = 15;
constexpr int64_t kMostMatchRows = 400;  // of each frame, that mutual answers are sought for

constexpr EpipolarMetricInfo kEpipolarInfos[] = {
    {EpipolarMetric::kMass, "epipolar_mass", "mass in the band", "share",
     "Mean over rows of the mass within one cell of the epipolar line, of that in the other "
     "picture."},
    {EpipolarMetric::kMassVisible, "epipolar_mass_visible", "mass, visible", "share",
     "The same over patches that the other picture shows."},
    {EpipolarMetric::kMassHidden, "epipolar_mass_hidden", "mass, hidden", "share",
     "The same over patches that something hides in the other picture."},
    {EpipolarMetric::kInBand, "in_band", "answers in the band", "share",
     "Share of the rows whose answer lies in the band."},
    {EpipolarMetric::kInBandVisible, "in_band_visible", "answers in the band, visible", "share",
     "The same over patches that the other picture shows."},
    {EpipolarMetric::kInBandHidden, "in_band_hidden", "answers in the band, hidden", "share",
     "The same over patches that something hides in the other picture."},
    {EpipolarMetric::kSampson, "sampson", "Sampson error", "pixels",
     "Median Sampson error of the rows and their answers, in pixels of the frame."},
    {EpipolarMetric::kMutual, "mutual_matches", "mutual answers", "",
     "Answers that answer the patch that asked: their mean number for a pair of pictures."},
    {EpipolarMetric::kInliers, "inliers", "inliers", "share",
     "Of the mutual answers of a pair, those that fit its F of RANSAC to one cell; the mean over "
     "pairs that have an F."},
    {EpipolarMetric::kRotation, "rotation_error", "rotation error", "degrees",
     "Angle between the rotation of that F and the cameras' own; the median over pairs, 180 for "
     "those without an F."},
    {EpipolarMetric::kTranslation, "translation_error", "translation error", "degrees",
     "The same of the direction of the translation."},
};

double MedianOf(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// What a row of a pair is held against.
struct RowBand {
  std::vector<int32_t> patches;  // of b, ascending; empty: the row does not count
  PatchSight sight = PatchSight::kUnknown;
};

struct PlannedPair {
  int64_t a = 0, b = 0;
  Matrix3 fundamental{};
  std::vector<RowBand> rows;  // one for each sampled patch of a
};

// What one head gives for a row of a pair.
struct RowResult {
  float mass = 0;
  int32_t answer = 0;
};

// Cameras, bands and rows: all that heads have in common.
class EpipolarPlan {
 public:
  EpipolarPlan(const QkStore& store, const SceneGeometry& geometry, std::optional<int64_t> rows)
      : frames_(store.description()),
        blocks_(BlocksOf(store.description(), BlockKind::kGlobal)),
        grid_(store.description().token_grid(blocks_)),
        cells_(frames_),
        cameras_(FrameCameras(geometry, frames_)) {
    for (int64_t patch = 0; patch < cells_.patches(); ++patch) {
      centres_.push_back(cells_.Centre(patch));
    }
    sample_ = Sample(rows);
    FindPairs(geometry);
    for (PlannedPair& pair : pairs) Bands(geometry, pair);
    std::erase_if(pairs, [](const PlannedPair& pair) {
      return std::all_of(pair.rows.begin(), pair.rows.end(),
                         [](const RowBand& row) { return row.patches.empty(); });
    });
  }

  std::vector<PlannedPair> pairs;
  int64_t close = 0, unknown = 0, unseen = 0;  // ordered pairs that are left out, and why

  const FrameList& frames() const { return frames_; }
  const QkBlocks& blocks() const { return blocks_; }
  const TokenGrid& grid() const { return grid_; }
  const FrameCells& cells() const { return cells_; }
  const RowSample& sample() const { return sample_; }
  const Camera& camera(int64_t frame) const { return *cameras_[static_cast<size_t>(frame)]; }
  double width() const { return std::max(cells_.cell_width(), cells_.cell_height()); }
  // A patch's centre as a camera without distortion sees it.
  Point CentreIn(int64_t frame, int64_t patch) const {
    return Undistorted(camera(frame), centres_[static_cast<size_t>(patch)]);
  }

 private:
  RowSample Sample(std::optional<int64_t> rows) const {
    const auto heads =
        static_cast<double>(blocks_.heads) * static_cast<double>(blocks_.layers.size());
    const double row_products = static_cast<double>(grid_.tokens()) *
                                static_cast<double>(blocks_.head_dim) * heads *
                                static_cast<double>(grid_.frames);
    if (!rows) {
      const double fit = kUsualEpipolarProducts / row_products;
      rows = fit >= static_cast<double>(grid_.patches())
                 ? 0
                 : std::max(static_cast<int64_t>(fit), kLeastEpipolarRows);
    }
    return *rows == 0 ? AllRows(grid_) : SampledRows(grid_, *rows);
  }

  double MeanDepth(const SceneGeometry& geometry, int64_t a, int64_t b) const {
    double sum = 0, count = 0;
    for (const int64_t frame : {a, b}) {
      for (const float z : geometry.views[static_cast<size_t>(frame)]->depth.z) {
        if (!(z > 0 && std::isfinite(z))) continue;
        sum += static_cast<double>(z);
        ++count;
      }
    }
    return count > 0 ? sum / count : 0;
  }

  static double Baseline(const Camera& a, const Camera& b) {
    const Vector3 t = PoseBetween(a, b).translation;
    return std::hypot(t[0], t[1], t[2]);
  }

  void FindPairs(const SceneGeometry& geometry) {
    const int64_t frames = grid_.frames;
    double farthest = 0;
    for (const auto& a : cameras_) {
      for (const auto& b : cameras_) {
        if (a && b) farthest = std::max(farthest, Baseline(*a, *b));
      }
    }
    for (int64_t a = 0; a < frames; ++a) {
      const FrameRange seen = AttendedFrames(blocks_.attends, a, frames, false);
      for (int64_t b = 0; b < frames; ++b) {
        if (a == b) continue;
        if (!cameras_[static_cast<size_t>(a)] || !cameras_[static_cast<size_t>(b)]) {
          ++unknown;
        } else if (b < seen.first || b >= seen.last) {
          ++unseen;
        } else {
          const double depth = MeanDepth(geometry, a, b);
          const double least = kLeastBaseline * (depth > 0 ? depth : farthest);
          if (!(Baseline(camera(a), camera(b)) > least)) {
            ++close;
          } else {
            pairs.push_back({a, b, FundamentalOf(camera(a), camera(b)), {}});
          }
        }
      }
    }
  }

  void Bands(const SceneGeometry& geometry, PlannedPair& pair) {
    if (pair.a != sights_of_) {
      sights_ = SightsOf(geometry, frames_, static_cast<size_t>(pair.a));
      sights_of_ = pair.a;
    }
    std::vector<Point> centres;
    for (int64_t patch = 0; patch < cells_.patches(); ++patch) {
      centres.push_back(CentreIn(pair.b, patch));
    }
    const FrameTransform& shown_a = frames_.transforms[static_cast<size_t>(pair.a)];
    const FrameTransform& shown_b = frames_.transforms[static_cast<size_t>(pair.b)];
    pair.rows.resize(sample_.patches.size());
    ParallelFor(sample_.patches.size(), 8, [&](size_t i) {
      const int64_t patch = sample_.patches[i];
      RowBand& row = pair.rows[i];
      row.sight = sights_[static_cast<size_t>(pair.b)][static_cast<size_t>(patch)];
      if (!ShowsOriginal(shown_a, centres_[static_cast<size_t>(patch)])) return;
      const auto line = EpipolarLine(pair.fundamental, CentreIn(pair.a, patch));
      if (!line) return;
      for (size_t j = 0; j < centres.size(); ++j) {
        if (line->Distance(centres[j]) <= width() && ShowsOriginal(shown_b, centres_[j])) {
          row.patches.push_back(static_cast<int32_t>(j));
        }
      }
    });
  }

  const FrameList& frames_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  const FrameCells cells_;
  const std::vector<std::optional<Camera>> cameras_;
  std::vector<Point> centres_;
  RowSample sample_;
  std::vector<std::vector<PatchSight>> sights_;
  int64_t sights_of_ = -1;
};

RowResult HoldAgainst(std::span<const float> logits, const std::vector<int32_t>& band) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  double all = 0, inside = 0;
  for (const float logit : logits) all += static_cast<double>(std::exp(logit - *largest));
  for (const int32_t patch : band) {
    inside += static_cast<double>(std::exp(logits[static_cast<size_t>(patch)] - *largest));
  }
  return {static_cast<float>(inside / all), static_cast<int32_t>(largest - logits.begin())};
}

// [pairs][sampled patches] of one head.
std::vector<std::vector<RowResult>> RowResults(const QkStore& store, const EpipolarPlan& plan,
                                               const HeadRef& head, const StopCheck& stop_check) {
  const TokenGrid& grid = plan.grid();
  std::vector<std::vector<RowResult>> out;
  std::vector<std::vector<size_t>> of_frame(static_cast<size_t>(grid.frames));
  for (size_t p = 0; p < plan.pairs.size(); ++p) {
    out.emplace_back(plan.sample().patches.size());
    of_frame[static_cast<size_t>(plan.pairs[p].a)].push_back(p);
  }
  TileOptions options;
  options.definition = Definition::kLogits;
  options.rows = PatchRows(plan.sample(), grid);
  const HeadTiles tiles(store, head, options);
  const auto per_frame = static_cast<int64_t>(plan.sample().patches.size());
  tiles.ForEachRowBlock(
      [&](const RowBlock& block) {
        for (size_t r = 0; r < block.rows.size(); ++r) {
          const auto place =
              std::lower_bound(options.rows.begin(), options.rows.end(), block.rows[r]) -
              options.rows.begin();
          const auto at = static_cast<size_t>(place % per_frame);
          for (const size_t p : of_frame[static_cast<size_t>(place / per_frame)]) {
            const PlannedPair& pair = plan.pairs[p];
            if (pair.rows[at].patches.empty()) continue;
            if (pair.b < block.key_frames.first || pair.b >= block.key_frames.last) continue;
            const auto first =
                std::lower_bound(block.keys.begin(), block.keys.end(), grid.first_patch(pair.b)) -
                block.keys.begin();
            out[p][at] = HoldAgainst(block.row(r).subspan(static_cast<size_t>(first),
                                                          static_cast<size_t>(grid.patches())),
                                     pair.rows[at].patches);
          }
        }
      },
      stop_check);
  return out;
}

// Means over rows, of all or of those with one sight.
struct BandTally {
  double mass = 0, squares = 0, hits = 0, area = 0;
  int64_t rows = 0;

  void Add(double row_mass, bool hit, double row_area) {
    mass += row_mass;
    squares += row_mass * row_mass;
    hits += hit ? 1 : 0;
    area += row_area;
    ++rows;
  }
  double Mean(double sum) const {
    return rows > 0 ? sum / static_cast<double>(rows) : std::numeric_limits<double>::quiet_NaN();
  }
  double MassError() const {
    const double mean = Mean(mass), variance = std::max(Mean(squares) - mean * mean, 0.0);
    return std::sqrt(variance / static_cast<double>(rows));
  }
};

struct BandTallies {
  BandTally all, visible, hidden;
  std::vector<BandTally> pairs;
  std::vector<double> sampson;
};

BandTallies TallyRows(const EpipolarPlan& plan,
                      const std::vector<std::vector<RowResult>>& results) {
  BandTallies out;
  const auto patches = static_cast<double>(plan.cells().patches());
  for (size_t p = 0; p < plan.pairs.size(); ++p) {
    const PlannedPair& pair = plan.pairs[p];
    BandTally& of_pair = out.pairs.emplace_back();
    for (size_t i = 0; i < pair.rows.size(); ++i) {
      const RowBand& row = pair.rows[i];
      if (row.patches.empty()) continue;
      const RowResult& result = results[p][i];
      const bool hit = std::binary_search(row.patches.begin(), row.patches.end(), result.answer);
      const double area = static_cast<double>(row.patches.size()) / patches;
      const auto mass = static_cast<double>(result.mass);
      out.all.Add(mass, hit, area);
      of_pair.Add(mass, hit, area);
      if (row.sight == PatchSight::kVisible) out.visible.Add(mass, hit, area);
      if (row.sight == PatchSight::kHidden) out.hidden.Add(mass, hit, area);
      out.sampson.push_back(SampsonError(
          pair.fundamental,
          {plan.CentreIn(pair.a, plan.sample().patches[i]), plan.CentreIn(pair.b, result.answer)}));
    }
  }
  return out;
}

// Cameras from mutual answers alone.
class PoseEstimates {
 public:
  PoseEstimates(const EpipolarPlan& plan, uint64_t seed) : plan_(plan), seed_(seed) {
    std::vector<size_t> one_way;
    for (size_t p = 0; p < plan.pairs.size(); ++p) {
      const PlannedPair& pair = plan.pairs[p];
      const bool other_way =
          std::any_of(plan.pairs.begin(), plan.pairs.begin() + static_cast<std::ptrdiff_t>(p),
                      [&](const PlannedPair& q) { return q.a == pair.b && q.b == pair.a; });
      if (!other_way) one_way.push_back(p);
    }
    const RowSample rows = plan.cells().patches() > kMostMatchRows
                               ? SampledRows(plan.grid(), kMostMatchRows)
                               : AllRows(plan.grid());
    const size_t count = std::min(one_way.size(), kMostEstimated);
    for (size_t i = 0; i < count; ++i) {
      const PlannedPair& pair = plan.pairs[one_way[i * one_way.size() / count]];
      PairMatches asked{pair.a, pair.b, {}};
      for (const int64_t patch : rows.patches) asked.matches.push_back({patch, {}});
      asked_.pairs.push_back(std::move(asked));
    }
  }

  const SceneMatches& asked() const { return asked_; }

  void Add(const QkStore& store, const HeadRef& head, const StopCheck& stop_check,
           EpipolarNumbers& out) const {
    if (asked_.pairs.empty()) return;
    const std::vector<PairAnswers> answers = FindAnswers(store, head, asked_, stop_check);
    struct Estimate {
      double mutual = 0, inliers = std::numeric_limits<double>::quiet_NaN();
      double rotation = 180, translation = 180;
    };
    std::vector<Estimate> estimates(answers.size());
    ParallelFor(answers.size(), 1, [&](size_t p) {
      CheckStop(stop_check);
      const PairMatches& asked = asked_.pairs[p];
      std::vector<PixelPair> pairs;
      for (size_t i = 0; i < asked.matches.size(); ++i) {
        if (answers[p].back[i] != asked.matches[i].patch) continue;
        pairs.push_back({plan_.CentreIn(asked.frame_a, asked.matches[i].patch),
                         plan_.CentreIn(asked.frame_b, answers[p].best[i])});
      }
      Estimate& estimate = estimates[p];
      estimate.mutual = static_cast<double>(pairs.size());
      const auto fit = RansacFundamental(pairs, plan_.width(), seed_);
      if (!fit) return;
      estimate.inliers = static_cast<double>(fit->inlier_count) / static_cast<double>(pairs.size());
      std::vector<PixelPair> fitting;
      for (size_t i = 0; i < pairs.size(); ++i) {
        if (fit->inliers[i]) fitting.push_back(pairs[i]);
      }
      const Camera &a = plan_.camera(asked.frame_a), &b = plan_.camera(asked.frame_b);
      const auto pose = PoseFromFundamental(fit->fundamental, a, b, fitting);
      if (!pose) return;
      const RelativePose known = PoseBetween(a, b);
      estimate.rotation = RotationAngle(pose->rotation, known.rotation);
      estimate.translation = DirectionAngle(pose->translation, known.translation);
    });
    std::vector<double> rotations, translations;
    double mutual = 0, inliers = 0, fitted = 0;
    for (const Estimate& estimate : estimates) {
      mutual += estimate.mutual / static_cast<double>(estimates.size());
      rotations.push_back(estimate.rotation);
      translations.push_back(estimate.translation);
      if (std::isnan(estimate.inliers)) continue;
      inliers += estimate.inliers;
      ++fitted;
    }
    out.of(EpipolarMetric::kMutual) = mutual;
    if (fitted > 0) out.of(EpipolarMetric::kInliers) = inliers / fitted;
    out.of(EpipolarMetric::kRotation) = MedianOf(rotations);
    out.of(EpipolarMetric::kTranslation) = MedianOf(translations);
  }

 private:
  const EpipolarPlan& plan_;
  const uint64_t seed_;
  SceneMatches asked_;
};

EpipolarScores ScoresOf(const BandTallies& tallies) {
  EpipolarScores out;
  out.value.of(EpipolarMetric::kMass) = tallies.all.Mean(tallies.all.mass);
  out.value.of(EpipolarMetric::kMassVisible) = tallies.visible.Mean(tallies.visible.mass);
  out.value.of(EpipolarMetric::kMassHidden) = tallies.hidden.Mean(tallies.hidden.mass);
  out.value.of(EpipolarMetric::kInBand) = tallies.all.Mean(tallies.all.hits);
  out.value.of(EpipolarMetric::kInBandVisible) = tallies.visible.Mean(tallies.visible.hits);
  out.value.of(EpipolarMetric::kInBandHidden) = tallies.hidden.Mean(tallies.hidden.hits);
  out.value.of(EpipolarMetric::kSampson) = MedianOf(tallies.sampson);
  out.mass_error = tallies.all.MassError();
  for (const BandTally& pair : tallies.pairs) out.pair_mass.push_back(pair.Mean(pair.mass));
  return out;
}

// What does not depend on heads.
void Describe(const EpipolarPlan& plan, EpipolarBoard& board) {
  const BandTallies empty =
      TallyRows(plan, std::vector<std::vector<RowResult>>(
                          plan.pairs.size(), std::vector<RowResult>(plan.sample().patches.size())));
  board.area = empty.all.Mean(empty.all.area);
  board.area_visible = empty.visible.Mean(empty.visible.area);
  board.area_hidden = empty.hidden.Mean(empty.hidden.area);
  board.rows = empty.all.rows;
  board.rows_visible = empty.visible.rows;
  board.rows_hidden = empty.hidden.rows;
  for (size_t p = 0; p < plan.pairs.size(); ++p) {
    board.pairs.push_back({plan.pairs[p].a, plan.pairs[p].b, empty.pairs[p].rows,
                           empty.pairs[p].Mean(empty.pairs[p].area)});
  }
  board.sample = fmt::format("{} rows in {} ordered pairs of pictures; queries are {}", board.rows,
                             board.pairs.size(), SampleText(plan.sample(), plan.grid()));
  const int64_t all = plan.grid().frames * (plan.grid().frames - 1);
  if (plan.close > 0) {
    board.notes.push_back(fmt::format(
        "{} of {} ordered pairs of pictures are left out, because their cameras stand closer than "
        "{:g} % of the depth: of a pure rotation the fundamental matrix is undefined.",
        plan.close, all, 100 * kLeastBaseline));
  }
  if (plan.unknown > 0) {
    board.notes.push_back(fmt::format(
        "{} of {} ordered pairs of pictures are left out, because a camera is not known.",
        plan.unknown, all));
  }
  if (plan.unseen > 0) {
    board.notes.push_back(
        fmt::format("{} of {} ordered pairs of pictures are left out, because these blocks do not "
                    "attend from the first to the second.",
                    plan.unseen, all));
  }
}

}  // namespace

std::span<const EpipolarMetricInfo, kEpipolarMetrics> EpipolarMetrics() { return kEpipolarInfos; }

EpipolarBoard ScoreEpipolar(const QkStore& store, const SceneGeometry& geometry,
                            std::optional<int64_t> rows, uint64_t seed, const StopCheck& stop_check,
                            const std::function<void(double)>& progress) {
  const FrameList& frames = store.description();
  if (std::ssize(frames.transforms) != frames.frames) {
    throw Error("the export does not say how its pictures became frames", geometry.text,
                "Its description needs 'transforms'; see docs/formats.md.");
  }
  EpipolarBoard board;
  board.text =
      fmt::format("cameras {} {}", geometry.predicted ? "predicted by" : "of", geometry.text);
  if (frames.frames < 2) {
    board.notes.emplace_back("One picture alone has no epipolar lines.");
    return board;
  }
  const EpipolarPlan plan(store, geometry, rows);
  board.heads = plan.blocks().heads;
  Describe(plan, board);
  if (plan.pairs.empty()) return board;
  const PoseEstimates estimates(plan, seed);
  for (const PairMatches& pair : estimates.asked().pairs) {
    board.estimated.emplace_back(pair.frame_a, pair.frame_b);
  }
  const size_t total = plan.blocks().layers.size() * static_cast<size_t>(board.heads);
  for (size_t layer = 0; layer < plan.blocks().layers.size(); ++layer) {
    board.layers.push_back(plan.blocks().layers[layer].index);
    for (int head = 1; head <= board.heads; ++head) {
      const HeadRef ref{BlockKind::kGlobal, layer, head};
      board.scores.push_back(ScoresOf(TallyRows(plan, RowResults(store, plan, ref, stop_check))));
      estimates.Add(store, ref, stop_check, board.scores.back().value);
      if (progress) progress(static_cast<double>(board.scores.size()) / static_cast<double>(total));
    }
  }
  return board;
}

std::vector<size_t> MostEpipolarHeads(const EpipolarBoard& board, size_t count) {
  std::vector<size_t> order(board.scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return board.scores[a].value.of(EpipolarMetric::kMass) >
           board.scores[b].value.of(EpipolarMetric::kMass);
  });
  order.resize(std::min(order.size(), count));
  return order;
}

}  // namespace vggt
