// SPDX-License-Identifier: Apache-2.0
// What it costs to keep queries and keys as float16: rows of attention beside those that follow
// from the rounded ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "capture/map_plan.h"
#include "core/tensor.h"
#include "model/observer.h"
#include "model/plan.h"
#include "ops/attention_probe.h"
#include "ops/half.h"
#include "ops/rope.h"

namespace vggt::testing {

// |Δp| over some rows of one global block, every head: p is the model's, over all tokens.
struct Float16Cost {
  double mean = 0, high = 0, most = 0;  // high: the 99.9th percentile
  double same_best = 0;                 // share of (row, head) whose largest p is the same token's
};

// Watches every step-th row of each global block.
class Float16Twin : public AttentionObserver {
 public:
  Float16Twin(const TokenGrid& grid, const ModelPlan& plan, int64_t step)
      : table_(GlobalBlock(plan).head_dim, static_cast<int32_t>(std::max(grid.height, grid.width))),
        yx_(RopePositions(grid, GlobalBlock(plan).rope.first_patch)) {
    const auto tokens = static_cast<int32_t>(grid.tokens());
    for (int32_t t = 0; t < tokens; ++t) {
      keys_.push_back(t);
      if (t % step == 0) rows_.push_back(t);
    }
    exact_.resize(rows_.size() * keys_.size() * GlobalBlock(plan).heads);
  }

  bool WantsUnrotated(BlockId block) const override { return block.kind == BlockKind::kGlobal; }
  void OnUnrotated(BlockId /*block*/, const QueriesKeys& qk) override {
    shape_ = {1, qk.tokens(), qk.heads, qk.head_dim, qk.heads * qk.head_dim};
    q_ = Rounded(qk, qk.q);
    k_ = Rounded(qk, qk.k);
  }
  void OnQueriesKeys(int64_t /*layer*/, const QueriesKeys& qk) override {
    ProbeAttention(qk.shape(), qk.q, qk.k, {rows_, keys_, false, exact_.data()}, workspace_);
    for (FloatBuffer* x : {&q_, &k_}) {
      Rope(table_, shape_.tokens, shape_.heads, shape_.token_stride, yx_.data(), x->data());
    }
    std::vector<float> rounded(exact_.size());
    ProbeAttention(shape_, q_.data(), k_.data(), {rows_, keys_, false, rounded.data()}, workspace_);
    layers.push_back(Compare(rounded));
  }

  std::vector<Float16Cost> layers;

 private:
  static const BlockSpec& GlobalBlock(const ModelPlan& plan) {
    return *plan.first(BlockKind::kGlobal);
  }

  // [tokens, heads, head_dim] once more, each value through float16.
  static FloatBuffer Rounded(const QueriesKeys& qk, const float* x) {
    const int64_t dim = qk.head_dim;
    std::vector<uint16_t> half(qk.tokens() * qk.heads * dim);
    HeadsToF16(qk.tokens(), qk.heads, dim, qk.token_stride, x, half.data());
    FloatBuffer out(half.size());
    for (int64_t h = 0; h < qk.heads; ++h) {
      for (int64_t t = 0; t < qk.tokens(); ++t) {
        for (int64_t c = 0; c < dim; ++c) {
          out[(t * qk.heads + h) * dim + c] = F16ToF32(half[(h * qk.tokens() + t) * dim + c]);
        }
      }
    }
    return out;
  }

  Float16Cost Compare(const std::vector<float>& rounded) const {
    Float16Cost cost;
    std::vector<float> errors(exact_.size());
    for (size_t i = 0; i < errors.size(); ++i) {
      errors[i] = std::abs(exact_[i] - rounded[i]);
      cost.mean += errors[i];
      cost.most = std::max<double>(cost.most, errors[i]);
    }
    cost.mean /= static_cast<double>(errors.size());
    const auto high = errors.begin() + static_cast<int64_t>(errors.size() * 999 / 1000);
    std::nth_element(errors.begin(), high, errors.end());
    cost.high = *high;
    const auto keys = static_cast<int64_t>(keys_.size());
    int64_t rows = 0, same = 0;
    for (auto a = exact_.begin(), b = rounded.begin(); a != exact_.end(); a += keys, b += keys) {
      same += std::max_element(a, a + keys) - a == std::max_element(b, b + keys) - b ? 1 : 0;
      ++rows;
    }
    cost.same_best = static_cast<double>(same) / static_cast<double>(rows);
    return cost;
  }

  RopeTable table_;
  std::vector<int32_t> yx_, rows_, keys_;
  std::vector<float> exact_;  // [rows, heads, keys]
  AttentionShape shape_;
  FloatBuffer q_, k_;
  AttentionWorkspace workspace_;
};

}  // namespace vggt::testing
