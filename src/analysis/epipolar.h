// SPDX-License-Identifier: Apache-2.0
// Attention held against cameras: how much of it lies along epipolar lines, and whether cameras
// follow from it alone, as "On Geometric Understanding and Learned Priors in VGGT"
// (arXiv:2512.11508) asks.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "geometry/scene_geometry.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What patch i of frame a shows lies in frame b on the line F x_i. Its band are the patches of b
// whose centres lie within one cell of the line. A row's mass is its softmax over the patches of b
// alone; its answer the patch with the largest logit, of equal ones the first.
enum class EpipolarMetric {
  kMass,
  kMassVisible,
  kMassHidden,
  kInBand,
  kInBandVisible,
  kInBandHidden,
  kSampson,
  kMutual,
  kInliers,
  kRotation,
  kTranslation
};
inline constexpr size_t kEpipolarMetrics = 11;

struct EpipolarMetricInfo {
  EpipolarMetric metric;
  const char* name;   // in tables: "epipolar_mass"
  const char* label;  // "mass in the band"
  const char* unit;
  const char* definition;
};
// All of them, in the order of the enumeration.
std::span<const EpipolarMetricInfo, kEpipolarMetrics> EpipolarMetrics();

// Numbers by EpipolarMetric; NaN where one means nothing.
struct EpipolarNumbers : std::array<double, kEpipolarMetrics> {
  EpipolarNumbers() { fill(std::numeric_limits<double>::quiet_NaN()); }
  double& of(EpipolarMetric metric) { return (*this)[static_cast<size_t>(metric)]; }
  double of(EpipolarMetric metric) const { return (*this)[static_cast<size_t>(metric)]; }
};

struct EpipolarScores {
  EpipolarNumbers value;
  double mass_error = 0;          // of the mass: as if rows were drawn at random, each by itself
  std::vector<double> pair_mass;  // of each ordered pair
};

struct EpipolarPair {
  int64_t frame_a = 0, frame_b = 0;
  int64_t rows = 0;  // that count: those whose band is not empty
  double area = 0;   // mean share of b's patches that the band has
};

struct EpipolarBoard {
  std::vector<int64_t> layers;  // their indices, from 0
  int64_t heads = 0;
  std::string text;                 // which cameras, in words
  std::string sample;               // which rows, in words
  std::vector<std::string> notes;   // what was left out, in sentences
  std::vector<EpipolarPair> pairs;  // ordered, ascending; empty: F is defined for none
  // Of those the pairs, one direction each, that cameras were estimated for.
  std::vector<std::pair<int64_t, int64_t>> estimated;
  // Mean share of the patches that bands have, over all rows, and those of patches that are visible
  // or hidden: what mass and answers without preference come to.
  double area = 0, area_visible = 0, area_hidden = 0;
  int64_t rows = 0, rows_visible = 0, rows_hidden = 0;  // summed over pairs
  std::vector<EpipolarScores> scores;                   // [layers, heads]

  const EpipolarScores& At(size_t layer, int64_t head) const {  // both from 0
    return scores[layer * static_cast<size_t>(heads) + static_cast<size_t>(head)];
  }
};

// All heads of all stored global layers. Pairs whose cameras stand closer than a hundredth of the
// mean depth (without depth: of the largest distance of two cameras) are left out: of a pure
// rotation F is undefined. `rows`: as of ScoreHeads (correspondence.h). Cameras are estimated by
// RANSAC from mutual answers, for at most 15 pairs evenly chosen; `seed` decides what is drawn.
// Throws Error if the store has no global blocks or tells no transforms, and like FindAnswers. On
// all threads; the result does not depend on their number. `progress` goes from 0 to 1.
EpipolarBoard ScoreEpipolar(const QkStore& store, const SceneGeometry& geometry,
                            std::optional<int64_t> rows, uint64_t seed,
                            const StopCheck& stop_check = {},
                            const std::function<void(double)>& progress = {});

// The heads with the largest mass in the band, best first, at most `count`: places in
// EpipolarBoard::scores.
std::vector<size_t> MostEpipolarHeads(const EpipolarBoard& board, size_t count);

}  // namespace vggt
