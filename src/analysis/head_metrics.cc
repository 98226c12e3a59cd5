// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_metrics.h"

#include <array>

namespace vggt {
namespace {

constexpr std::array<HeadMetricInfo, kHeadMetrics> kMetrics = {{
    {HeadMetric::kEntropy, "entropy", "entropy", "nats",
     "-Σ_j A_ij ln A_ij over all keys that query i attends to, the mean over patch queries. 0 if "
     "one key has all the attention, ln N if N keys share it equally."},
    {HeadMetric::kEntropyShare, "entropy_share", "share of the largest entropy", "share",
     "The entropy of a row divided by ln N, where N is the number of keys that the query attends "
     "to, the mean over patch queries. 1 is uniform attention."},
    {HeadMetric::kEffectiveKeys, "effective_keys", "effective number of keys", "keys",
     "exp of a row's entropy (its perplexity), the mean over patch queries of that exponential: "
     "how many keys would have this entropy if they shared the attention equally."},
    {HeadMetric::kParticipation, "participation", "participation ratio", "keys",
     "1 / Σ_j A_ij², the inverse participation ratio of a row, the mean over patch queries. It "
     "counts keys as the effective number does and heeds large probabilities more."},
    {HeadMetric::kTop1Mass, "top1_mass", "largest probability", "share",
     "max_j A_ij over all keys, the mean over patch queries."},
    {HeadMetric::kTop10Mass, "top10_mass", "mass of the ten largest", "share",
     "The sum of the ten largest A_ij of a row, the mean over patch queries; of all of them if "
     "there are fewer keys."},
    {HeadMetric::kSpecialMass, "special_mass", "mass on special tokens", "share",
     "Σ A_ij over the special tokens (camera or cls, registers) of all pictures that the query "
     "attends to, the mean over patch queries."},
    {HeadMetric::kOwnMass, "own_mass", "mass on the own picture", "share",
     "Σ A_ij over the patches of the query's own picture, itself included, special tokens not, "
     "the mean over patch queries."},
    {HeadMetric::kCrossMass, "cross_mass", "mass on other pictures", "share",
     "Σ A_ij over the patches of all other pictures, special tokens not, the mean over patch "
     "queries. With own_mass and special_mass it adds up to 1."},
    {HeadMetric::kFirstFrameMass, "first_frame_mass", "mass on the first picture", "share",
     "Σ A_ij over the patches of picture 0, whose camera is the reference in VGGT, the mean over "
     "the patch queries of all pictures, its own included."},
    {HeadMetric::kSameCellMass, "same_cell_mass", "mass on the same cell", "share",
     "Σ A_ij over the patches of other pictures at the query's own row and column, the mean over "
     "patch queries. RoPE gives these keys the query's own position in VGGT's global blocks."},
    {HeadMetric::kSelfMass, "self_mass", "mass on itself", "share",
     "A_ii, the mean over patch queries."},
    {HeadMetric::kMeanDistance, "mean_distance", "mean distance", "cells",
     "Σ_j A_ij |x_i - x_j| / Σ_j A_ij over the patches j of the query's own picture, where x are "
     "row and column and |·| is Euclidean, the mean over patch queries. The mean attention "
     "distance of ViT (Dosovitskiy et al., ICLR 2021), in cells."},
    {HeadMetric::kRopeShare, "rope_share", "share that RoPE moves", "share",
     "½ Σ_j |A_ij - B_ij| over all keys, where B is the softmax of the same logits without rotary "
     "embedding: the total variation distance, the mean over patch queries. 0 without such an "
     "embedding."},
    {HeadMetric::kMutualShare, "mutual_share", "share of mutual matches", "share",
     "Of all pairs of a patch query i of picture a and another picture b, the share for which the "
     "key j with the largest A_ij among b's patches has, as a query, i as its largest among a's "
     "patches (mutual nearest neighbours); of equal ones the first counts. Needs all rows of "
     "blocks that attend to all pictures."},
    {HeadMetric::kRowSimilarity, "row_similarity", "similarity of rows", "",
     "The mean cosine of the attention rows of two different patch queries, as (|Σ_i u_i|² - n) / "
     "(n (n - 1)) of the n rows divided by their lengths, which equals the mean over pairs. Where "
     "pictures attend to different keys it is taken within each picture, then the mean over "
     "pictures. Near 1 the head gives all patches the same attention (the collapse that FastVGGT "
     "reports)."},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kHeadMetrics; ++i) {
    if (kMetrics[i].metric != static_cast<HeadMetric>(i)) return false;
  }
  return true;
}
static_assert(InOrder());

}  // namespace

std::span<const HeadMetricInfo, kHeadMetrics> HeadMetrics() { return kMetrics; }

const HeadMetricInfo& InfoOf(HeadMetric metric) { return kMetrics[static_cast<size_t>(metric)]; }

std::optional<HeadMetric> FindHeadMetric(std::string_view name) {
  for (const HeadMetricInfo& info : kMetrics) {
    if (name == info.name) return info.metric;
  }
  return std::nullopt;
}

}  // namespace vggt
