// SPDX-License-Identifier: Apache-2.0
// The statistics of a layer by plain loops in double precision over whole matrices.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "analysis/layer_statistics.h"
#include "core/tensor.h"

namespace vggt::testing {

// Whole matrices of one head, [tokens, tokens]; NaN where a query does not attend to a key.
class WholeAttention {
 public:
  WholeAttention(const QkStore& store, BlockKind kind, size_t layer, int64_t head, bool rope)
      : blocks_(*store.description().Find(kind)), grid_(store.description().token_grid(blocks_)) {
    const int64_t N = grid_.tokens(), dim = blocks_.head_dim;
    const QkTensors tensors = store.Layer(blocks_, layer);
    const std::vector<double> q = Values(tensors.q + head * N * dim, rope);
    const std::vector<double> k = Values(tensors.k + head * N * dim, rope);
    values_.assign(N * N, std::numeric_limits<double>::quiet_NaN());
    for (int64_t i = 0; i < N; ++i) {
      double largest = -INFINITY, total = 0;
      double* row = values_.data() + i * N;
      for (int64_t j = 0; j < N; ++j) {
        if (!Attends(i, j)) continue;
        row[j] = 0;
        for (int64_t c = 0; c < dim; ++c) row[j] += q[i * dim + c] * k[j * dim + c];
        row[j] *= blocks_.scale;
        largest = std::max(largest, row[j]);
      }
      for (int64_t j = 0; j < N; ++j) {
        if (Attends(i, j)) total += std::exp(row[j] - largest);
      }
      for (int64_t j = 0; j < N; ++j) row[j] = std::exp(row[j] - largest) / total;
    }
  }

  double operator()(int64_t query, int64_t key) const {
    return values_[query * grid_.tokens() + key];
  }
  bool Attends(int64_t query, int64_t key) const {
    const int64_t a = query / grid_.tokens_per_frame(), b = key / grid_.tokens_per_frame();
    return blocks_.attends == vggt::Attends::kAll ||
           (blocks_.attends == vggt::Attends::kFrame ? a == b : b <= a);
  }

 private:
  std::vector<double> Values(const uint16_t* stored, bool rope) const {
    const int64_t dim = blocks_.head_dim, quarter = dim / 4;
    std::vector<double> x(grid_.tokens() * dim);
    for (size_t i = 0; i < x.size(); ++i) x[i] = F16ToF32(stored[i]);
    if (!rope || blocks_.rope.type != RopeType::k2d) return x;
    for (int64_t t = 0; t < grid_.tokens(); ++t) {
      if (grid_.is_special(t)) continue;
      const int64_t patch = t % grid_.tokens_per_frame() - grid_.special_tokens;
      const int64_t at[] = {patch / grid_.width + blocks_.rope.first_patch,
                            patch % grid_.width + blocks_.rope.first_patch};
      for (int64_t c = 0; c < 2 * quarter; ++c) {
        double& a = x[t * dim + c / quarter * 2 * quarter + c % quarter];
        double& b = *(&a + quarter);
        const double angle = static_cast<double>(at[c / quarter]) *
                             std::pow(blocks_.rope.base, -static_cast<double>(c % quarter) /
                                                             static_cast<double>(quarter));
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
    }
    return x;
  }

  const QkBlocks& blocks_;
  const TokenGrid grid_;
  std::vector<double> values_;
};

// One head of SlowLayerStatistics.
class SlowHead {
 public:
  SlowHead(const QkStore& store, BlockKind kind, size_t layer, int64_t head, LayerStatistics& s)
      : blocks_(*store.description().Find(kind)),
        g_(s.grid),
        head_(head),
        s_(s),
        A_(store, kind, layer, head, true),
        B_(store, kind, layer, head, false) {}

  void Add() {
    const std::vector<int64_t> rows = PatchRows(s_.sample, g_);
    // Of each metric the values at each place of a frame.
    std::vector<std::map<int64_t, std::vector<double>>> values(kHeadMetrics);
    for (const int64_t i : rows) {
      for (size_t m = 0; m < kHeadMetrics; ++m) {
        const double value = OfRow(static_cast<HeadMetric>(m), i);
        if (!std::isnan(value)) values[m][i % g_.tokens_per_frame()].push_back(value);
      }
    }
    for (size_t m = 0; m < kHeadMetrics; ++m) {
      const auto n = static_cast<double>(values[m].size());
      if (n == 0) continue;
      const auto mean_of = [](const std::vector<double>& v) {
        return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
      };
      double mean = 0, variance = 0;
      for (const auto& [place, v] : values[m]) mean += mean_of(v) / n;
      for (const auto& [place, v] : values[m]) variance += std::pow(mean_of(v) - mean, 2) / (n - 1);
      s_.mean[m * s_.heads + head_] = mean;
      s_.standard_error[m * s_.heads + head_] =
          s_.sample.all ? 0 : std::sqrt(variance / n * (1 - n / static_cast<double>(g_.patches())));
    }
    for (const auto& [metric, value] : {std::pair{HeadMetric::kMutualShare, MutualShare()},
                                        std::pair{HeadMetric::kRowSimilarity, Similarity()}}) {
      const size_t at = static_cast<size_t>(metric) * s_.heads + head_;
      s_.mean[at] = value;
      if (s_.sample.all && !std::isnan(value)) s_.standard_error[at] = 0;
    }
    for (const int64_t i : rows) {
      for (int64_t j = 0; j < g_.tokens(); ++j) {
        if (!A_.Attends(i, j)) continue;
        const auto n = static_cast<double>(s_.sample.patches.size());
        const int64_t column = Special(j) ? g_.frames : Frame(j);
        const size_t at = (head_ * g_.frames + Frame(i)) * (g_.frames + 1) + column;
        s_.frame_mass[at] += static_cast<float>(A_(i, j) / n);
        if (blocks_.rope.type != RopeType::kApplied) {
          s_.frame_mass_before_rope[at] += static_cast<float>(B_(i, j) / n);
        }
        s_.key_mass[head_ * g_.tokens() + j] +=
            static_cast<float>(A_(i, j) / static_cast<double>(rows.size()));
      }
    }
    AddFlow();
  }

 private:
  bool Special(int64_t token) const { return g_.is_special(token); }
  int64_t Frame(int64_t token) const { return token / g_.tokens_per_frame(); }
  int64_t Patch(int64_t token) const { return token % g_.tokens_per_frame() - g_.special_tokens; }
  double Distance(int64_t i, int64_t j) const {
    return std::hypot(Patch(i) / g_.width - Patch(j) / g_.width,
                      Patch(i) % g_.width - Patch(j) % g_.width);
  }

  // Σ over the keys j of row i for which `counts(j)`, of value(A_ij, j).
  template <typename Counts, typename Value>
  double Sum(int64_t i, const Counts& counts, const Value& value) const {
    double sum = 0;
    for (int64_t j = 0; j < g_.tokens(); ++j) {
      if (A_.Attends(i, j) && counts(j)) sum += value(A_(i, j), j);
    }
    return sum;
  }
  template <typename Counts>
  double Mass(int64_t i, const Counts& counts) const {
    return Sum(i, counts, [](double p, int64_t) { return p; });
  }

  double TopMass(int64_t i, size_t count) const {
    std::vector<double> row;
    for (int64_t j = 0; j < g_.tokens(); ++j) {
      if (A_.Attends(i, j)) row.push_back(A_(i, j));
    }
    std::sort(row.rbegin(), row.rend());
    row.resize(std::min(count, row.size()));
    return std::accumulate(row.begin(), row.end(), 0.0);
  }

  double OfRow(HeadMetric metric, int64_t i) const {
    const auto any = [](int64_t) { return true; };
    const auto own = [&](int64_t j) { return !Special(j) && Frame(j) == Frame(i); };
    const double keys = Sum(i, any, [](double, int64_t) { return 1; });
    const double entropy =
        Sum(i, any, [](double p, int64_t) { return p > 0 ? -p * std::log(p) : 0; });
    switch (metric) {
      case HeadMetric::kEntropy:
        return entropy;
      case HeadMetric::kEntropyShare:
        return keys > 1 ? entropy / std::log(keys) : NAN;
      case HeadMetric::kEffectiveKeys:
        return std::exp(entropy);
      case HeadMetric::kParticipation:
        return 1 / Sum(i, any, [](double p, int64_t) { return p * p; });
      case HeadMetric::kTop1Mass:
        return TopMass(i, 1);
      case HeadMetric::kTop10Mass:
        return TopMass(i, 10);
      case HeadMetric::kSpecialMass:
        return Mass(i, [&](int64_t j) { return Special(j); });
      case HeadMetric::kOwnMass:
        return Mass(i, own);
      case HeadMetric::kCrossMass:
        return Mass(i, [&](int64_t j) { return !Special(j) && Frame(j) != Frame(i); });
      case HeadMetric::kFirstFrameMass:
        return Mass(i, [&](int64_t j) { return !Special(j) && Frame(j) == 0; });
      case HeadMetric::kSameCellMass:
        return Mass(i, [&](int64_t j) { return !Special(j) && Patch(j) == Patch(i) && j != i; });
      case HeadMetric::kSelfMass:
        return A_(i, i);
      case HeadMetric::kMeanDistance:
        return Sum(i, own, [&](double p, int64_t j) { return p * Distance(i, j); }) / Mass(i, own);
      case HeadMetric::kRopeShare:
        if (blocks_.rope.type == RopeType::kApplied) return NAN;
        return Sum(i, any, [&](double p, int64_t j) { return std::abs(p - B_(i, j)) / 2; });
      case HeadMetric::kMutualShare:
      case HeadMetric::kRowSimilarity:
        break;
    }
    return NAN;
  }

  int64_t Best(int64_t query, int64_t frame) const {
    int64_t best = g_.first_patch(frame);
    for (int64_t j = best; j < g_.first_token(frame + 1); ++j) {
      if (A_(query, j) > A_(query, best)) best = j;
    }
    return best;
  }

  double MutualShare() const {
    if (!s_.sample.all || blocks_.attends != Attends::kAll || g_.frames == 1) return NAN;
    double mutual = 0, pairs = 0;
    for (const int64_t i : PatchRows(s_.sample, g_)) {
      for (int64_t b = 0; b < g_.frames; ++b) {
        if (b == Frame(i)) continue;
        ++pairs;
        mutual += Best(Best(i, b), Frame(i)) == i ? 1 : 0;
      }
    }
    return mutual / pairs;
  }

  double Cosine(int64_t a, int64_t b) const {
    double product = 0, aa = 0, bb = 0;
    for (int64_t j = 0; j < g_.tokens(); ++j) {
      if (!A_.Attends(a, j)) continue;
      product += A_(a, j) * A_(b, j);
      aa += A_(a, j) * A_(a, j);
      bb += A_(b, j) * A_(b, j);
    }
    return product / std::sqrt(aa * bb);
  }

  // Over pairs, not in closed form.
  double Similarity() const {
    const std::vector<int64_t> rows = PatchRows(s_.sample, g_);
    double sum = 0, pairs = 0;
    for (const int64_t a : rows) {
      for (const int64_t b : rows) {
        if (a == b || (blocks_.attends != Attends::kAll && Frame(a) != Frame(b))) continue;
        sum += Cosine(a, b);
        ++pairs;
      }
    }
    return sum / pairs;
  }

  TokenGroup Group(int64_t token) const {
    if (!Special(token)) {
      return Frame(token) == 0 ? TokenGroup::kFirstPatches : TokenGroup::kOtherPatches;
    }
    if (g_.is_scene_token(token)) return TokenGroup::kRegisters;
    if (token != g_.first_token(Frame(token))) return TokenGroup::kRegisters;
    return token == 0 ? TokenGroup::kFirstCamera : TokenGroup::kOtherCameras;
  }

  void AddFlow() {
    std::vector<int64_t> rows = PatchRows(s_.sample, g_);
    for (int64_t t = 0; t < g_.tokens(); ++t) {
      if (Special(t) && !g_.is_scene_token(t)) rows.push_back(t);
    }
    for (size_t from = 0; from < kQueryGroups; ++from) {
      double count = 0;
      for (const int64_t i : rows) count += static_cast<size_t>(Group(i)) == from ? 1 : 0;
      if (count == 0) continue;
      float* mean = s_.flow_mean.data() + (head_ * kQueryGroups + from) * kKeyGroups;
      float* largest = s_.flow_largest.data() + (head_ * kQueryGroups + from) * kKeyGroups;
      std::fill_n(mean, kKeyGroups, 0.0F);
      std::fill_n(largest, kKeyGroups, 0.0F);
      for (const int64_t i : rows) {
        if (static_cast<size_t>(Group(i)) != from) continue;
        for (int64_t j = 0; j < g_.tokens(); ++j) {
          if (!A_.Attends(i, j)) continue;
          const bool own = !Special(j) && Frame(j) == Frame(i);
          const auto to = static_cast<size_t>(own ? TokenGroup::kOwnPatches : Group(j));
          mean[to] += static_cast<float>(A_(i, j) / count);
          largest[to] = std::max(largest[to], static_cast<float>(A_(i, j)));
        }
      }
    }
  }

  const QkBlocks& blocks_;
  const TokenGrid g_;
  const int64_t head_;
  LayerStatistics& s_;
  const WholeAttention A_, B_;  // after and before RoPE
};

// ComputeLayerStatistics but for `uniform`.
inline LayerStatistics SlowLayerStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                           const RowSample& sample) {
  const QkBlocks& blocks = *store.description().Find(kind);
  LayerStatistics s;
  s.kind = kind;
  s.attends = blocks.attends;
  s.layer_index = blocks.layers[layer].index;
  s.grid = store.description().token_grid(blocks);
  s.heads = blocks.heads;
  s.sample = sample;
  s.mean.assign(kHeadMetrics * s.heads, NAN);
  s.standard_error.assign(s.mean.size(), NAN);
  s.frame_mass.assign(s.heads * s.grid.frames * (s.grid.frames + 1), 0);
  if (blocks.rope.type != RopeType::kApplied) {
    s.frame_mass_before_rope.assign(s.frame_mass.size(), 0);
  }
  s.flow_mean.assign(s.heads * kQueryGroups * kKeyGroups, NAN);
  s.flow_largest.assign(s.flow_mean.size(), NAN);
  s.key_mass.assign(s.heads * s.grid.tokens(), 0);
  for (int64_t head = 0; head < s.heads; ++head) SlowHead(store, kind, layer, head, s).Add();
  return s;
}

}  // namespace vggt::testing
