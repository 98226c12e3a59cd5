// SPDX-License-Identifier: Apache-2.0
#include "analysis/anchor_choice.h"

#include <algorithm>
#include <cmath>

#include "attention/softmax_groups.h"

namespace vggt {

int64_t CountOfShare(double share, int64_t of) {
  return std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(share * static_cast<double>(of) - 1e-9)), 1, of);
}

KeptTokens SpecialTokens(const TokenGrid& grid) {
  KeptTokens keep(static_cast<size_t>(grid.tokens()));
  for (size_t j = 0; j < keep.size(); ++j) keep[j] = grid.is_special(static_cast<int64_t>(j));
  return keep;
}

// Not the patches of SampledRows, which would be the queries themselves.
KeptTokens EvenAnchors(const TokenGrid& grid, int64_t count) {
  KeptTokens keep = SpecialTokens(grid);
  const auto square = static_cast<double>(count * grid.height) / static_cast<double>(grid.width);
  const int64_t lines =
      std::clamp(static_cast<int64_t>(std::lround(std::sqrt(square))),
                 (count + grid.width - 1) / grid.width, std::min(grid.height, count));
  for (int64_t line = 0; line < lines; ++line) {
    const int64_t row = (2 * line + 1) * grid.height / (2 * lines);
    const int64_t columns = count * (line + 1) / lines - count * line / lines;
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t column = (2 * i + 1) * grid.width / (2 * columns);
      for (int64_t f = 0; f < grid.frames; ++f) {
        keep[static_cast<size_t>(grid.patch(f, row, column))] = 1;
      }
    }
  }
  return keep;
}

KeptTokens LargestAnchors(const TokenGrid& grid, std::span<const double> scores, int64_t count,
                          bool together) {
  KeptTokens keep = SpecialTokens(grid);
  const auto take = [&](std::vector<int64_t> patches) {
    const auto last = patches.begin() + count;
    const auto is_before = [&](int64_t a, int64_t b) {
      const double score_a = scores[static_cast<size_t>(a)];
      const double score_b = scores[static_cast<size_t>(b)];
      return score_a != score_b ? score_a > score_b : a < b;
    };
    if (last != patches.end()) std::nth_element(patches.begin(), last, patches.end(), is_before);
    for (auto patch = patches.begin(); patch != last; ++patch)
      keep[static_cast<size_t>(*patch)] = 1;
  };
  if (together) {
    take(KeyTokens({0, grid.frames}, Definition::kPatches, grid));
  } else {
    for (int64_t f = 0; f < grid.frames; ++f) {
      take(KeyTokens({f, f + 1}, Definition::kPatches, grid));
    }
  }
  return keep;
}

}  // namespace vggt
