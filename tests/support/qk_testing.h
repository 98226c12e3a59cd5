// SPDX-License-Identifier: Apache-2.0
// The attention of small stores, computed the slow way.
#pragma once

#include <limits>
#include <vector>

#include "attention/request.h"
#include "attention/softmax_groups.h"
#include "qk_store_testing.h"

namespace vggt::testing {

// One layer and head of a store as whole matrices in double precision.
class SlowAttention {
 public:
  SlowAttention(const QkDescription& d, const QkBlocks& blocks, size_t layer, int head,
                bool before_rope)
      : d_(d), blocks_(blocks), grid_(d.token_grid(blocks)), tokens_(grid_.tokens()) {
    for (const int which : {0, 1}) {
      const std::vector<float> all = QkValues(d, blocks, layer, which);
      const auto size = tokens_ * blocks.head_dim;
      std::vector<double>& x = which == 0 ? q_ : k_;
      x.assign(all.begin() + (head - 1) * size, all.begin() + head * size);
      if (blocks.rope.type == RopeType::k2d && !before_rope) Rotate(x);
    }
  }

  int64_t tokens() const { return tokens_; }

  double Logit(int64_t query, int64_t key) const { return Dot(q_, query, k_, key) * blocks_.scale; }

  // An entry of the definition's matrix; NaN or 0 where a query does not attend.
  double Value(Definition definition, int64_t query, int64_t key) const {
    const int64_t per_frame = d_.tokens_per_frame(blocks_);
    const auto counts = [&](int64_t j) {
      if (grid_.is_scene_token(j)) {
        return definition != Definition::kPatches && definition != Definition::kFrame;
      }
      const FrameRange range = AttendedFrames(blocks_.attends, query / per_frame, d_.frames, false);
      const int64_t frame = j / per_frame;
      if (frame < range.first || frame >= range.last) return false;
      if (definition == Definition::kFrame) return frame == key / per_frame;
      return definition != Definition::kPatches || j % per_frame >= blocks_.specials();
    };
    if (!IsProbability(definition)) {
      if (!counts(key)) return std::numeric_limits<double>::quiet_NaN();
      const double length = std::sqrt(Dot(q_, query, q_, query) * Dot(k_, key, k_, key));
      return definition == Definition::kLogits ? Logit(query, key)
                                               : Dot(q_, query, k_, key) / length;
    }
    if (!counts(key)) return 0;
    double sum = 0;
    for (int64_t j = 0; j < tokens_; ++j) {
      if (counts(j)) sum += std::exp(Logit(query, j) - Logit(query, key));
    }
    return 1 / sum;
  }

 private:
  double Dot(const std::vector<double>& a, int64_t i, const std::vector<double>& b,
             int64_t j) const {
    double sum = 0;
    for (int64_t c = 0; c < blocks_.head_dim; ++c) {
      sum += a[i * blocks_.head_dim + c] * b[j * blocks_.head_dim + c];
    }
    return sum;
  }

  void Rotate(std::vector<double>& x) const {
    const int64_t per_frame = d_.tokens_per_frame(blocks_), quarter = blocks_.head_dim / 4;
    for (int64_t t = 0; t < tokens_; ++t) {
      if (grid_.is_special(t)) continue;
      const int64_t patch = t % per_frame - blocks_.specials();
      const int64_t position[] = {patch / d_.W_p + blocks_.rope.first_patch,
                                  patch % d_.W_p + blocks_.rope.first_patch};
      for (int axis = 0; axis < 2; ++axis) {
        double* half = x.data() + t * blocks_.head_dim + 2 * axis * quarter;
        for (int64_t i = 0; i < quarter; ++i) {
          const double exponent = -static_cast<double>(i) / static_cast<double>(quarter);
          const double angle =
              static_cast<double>(position[axis]) * std::pow(blocks_.rope.base, exponent);
          const double a = half[i], b = half[i + quarter];
          half[i] = a * std::cos(angle) - b * std::sin(angle);
          half[i + quarter] = b * std::cos(angle) + a * std::sin(angle);
        }
      }
    }
  }

  const QkDescription& d_;
  const QkBlocks& blocks_;
  TokenGrid grid_;
  int64_t tokens_;
  std::vector<double> q_, k_;
};

}  // namespace vggt::testing
