// SPDX-License-Identifier: Apache-2.0
// Numbers about whole pictures and pairs of them, read off queries and keys of global blocks. Each
// has the name of the work that defines it: they are not comparable with each other.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// A number for ordered pairs of pictures; NaN where there is none.
struct PairScores {
  int64_t frames = 0;
  std::vector<double> values;  // [frames, frames]

  explicit PairScores(int64_t frames);
  double& at(int64_t a, int64_t b) { return values[static_cast<size_t>(a * frames + b)]; }
  double at(int64_t a, int64_t b) const { return values[static_cast<size_t>(a * frames + b)]; }
};

using FramePair = std::pair<int64_t, int64_t>;

// Attention between pictures: the mean over heads of LayerStatistics::frame_mass [heads, frames,
// frames + 1], without its last column. F_ab is the mean mass that a patch of a gives to all
// patches of b.
PairScores MeanFrameMass(std::span<const float> frame_mass, int64_t heads, int64_t frames);

// ‖F − Fᵀ‖ / ‖F‖ in the Frobenius norm: 0 if pictures look at each other equally, at most √2.
double Asymmetry(const PairScores& frame_mass);

// How much a view belongs to the anchor's scene, as the published code of "Emergent Outlier View
// Rejection in Visual Geometry Grounded Transformers" (RobustVGGT, CVPR 2026) computes it. All are
// [frames], those of the anchor included.
//
// attention: softmax over all keys, BEFORE RoPE, scaled by 1/√d; its mean over the heads and the
// anchor's patch queries is a map over all patches of all views; that map is scaled to 0 … 1 by its
// least and largest value, and averaged in each view; the views are scaled to 0 … 1 again.
// feature: the mean cosine of all pairs of patches of the view and the anchor, of the hidden states
// after the layer, as (1 + cosine) / 2; the views are scaled to 0 … 1.
// combined: half of each. Both scalings divide by (largest − least + 1e-6).
struct OutlierScores {
  std::vector<double> attention;
  std::vector<double> feature, combined;  // empty if the store knows nothing of hidden states
};

// The published layer is the last one, the anchor picture 0. `unit_sums` [frames, dim]: for each
// picture the sum over its patches of hidden states divided by their lengths; empty: not known.
// Throws Error as StoredRows and GlobalBlocksOfSeveral.
OutlierScores ComputeOutlierScores(const QkStore& store, size_t layer, int64_t anchor,
                                   std::span<const float> unit_sums,
                                   const StopCheck& stop_check = {});

inline constexpr double kOutlierThreshold = 0.4;        // of the combined score, in the code
inline constexpr double kOutlierThresholdReadme = 0.3;  // in its README

// The mean over the patches of pictures a and b of the cosine of each pair, from sums as above.
// Pairs of a picture with itself count each patch with itself, too.
PairScores MeanCosines(std::span<const float> unit_sums, int64_t frames, int64_t patches);

// The pictures other than the anchor whose score is below the threshold.
std::vector<int64_t> PicturesBelow(std::span<const double> scores, double threshold,
                                   int64_t anchor);

// How well pictures a and b show the same place, as VGGT-SLAM 2 and VGGT-SPARK verify loops: for
// each PATCH key u of a, p_u = softmax over ALL queries of both pictures, special ones too, of
// q·k_u after RoPE, without 1/√d; p_u is averaged over heads; m_u is its largest value over the
// queries of a; for each of all queries v of b, ρ_v = max over u of p_u(v) / (m_u + 1e-8); the
// score is the mean of those ρ_v that reach their 75th percentile. Not symmetric. Published: of a
// pass over the two pictures alone, layer 22 counted from 0, accepted from 0.85 (or 0.95) on; here
// q and k are those of a pass over all pictures of the export.
inline constexpr int64_t kMatchScoreIndex = 22;
inline constexpr double kMatchScoreAccepted = 0.85;

// The scores of `pairs`, each once; NaN elsewhere. Memory: the queries of one picture and all its
// partners, and for each thread 96 bytes · tokens of a picture for every partner, twice. Throws
// Error as StoredRows and GlobalBlocksOfSeveral, and if a pair is out of range or of one picture.
PairScores MatchScores(const QkStore& store, size_t layer, std::span<const FramePair> pairs,
                       const StopCheck& stop_check = {});

// Multiply-adds of the match scores of one picture a with so many others b.
double MatchScoreProducts(const QkDescription& description, const QkBlocks& blocks, int64_t others);

// Which stored picture is of use for a new one (RetrieveVGGT): the mean over heads of q̄_a · k̄_b,
// where q̄_a is the mean of a's patch queries and k̄_b of b's patch keys, before RoPE, without
// 1/√d. Published: of the first global layer.
PairScores RetrievalRelevance(const QkStore& store, size_t layer);

// Logits between pictures as Pi3's code sums them (`get_attn_score`): the mean over all pairs of
// tokens, special ones too, of logits after RoPE with their scale, summed over heads. A picture's
// salience is the sum over all pictures of keys.
PairScores MeanLogits(const QkStore& store, size_t layer);
std::vector<double> Salience(const PairScores& mean_logits);

}  // namespace vggt
