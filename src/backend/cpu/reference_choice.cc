// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/reference_choice.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vggt {
namespace {

constexpr int64_t kFewestFrames = 3;

// Adds to each frame's score how far its value is from the middle of all.
void AddDistance(const std::vector<double>& values, std::vector<double>& scores) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i) {
    scores[i] += std::abs((values[i] - *least) / (*most - *least + 1e-8) - 0.5);
  }
}

}  // namespace

int64_t ChooseReference(const TokenGrid& grid, const float* x, int64_t dim) {
  if (grid.frames < kFewestFrames) return 0;
  const auto channels = static_cast<double>(dim), others = static_cast<double>(grid.frames - 1);
  std::vector<double> lengths, variances, sum(dim);  // sum: of unit vectors
  std::vector<std::vector<double>> units;
  for (int64_t f = 0; f < grid.frames; ++f) {
    const float* token = x + grid.first_token(f) * dim;
    std::vector<double> unit(token, token + dim);
    double squares = 0, mean = 0, variance = 0;
    for (const double value : unit) squares += value * value;
    lengths.push_back(std::sqrt(squares));
    for (int64_t c = 0; c < dim; ++c) {
      unit[c] /= lengths.back();
      mean += unit[c] / channels;
      sum[c] += unit[c];
    }
    for (const double value : unit) variance += (value - mean) * (value - mean) / (channels - 1);
    variances.push_back(variance);
    units.push_back(std::move(unit));
  }
  std::vector<double> cosines, scores(grid.frames);
  for (const std::vector<double>& unit : units) {
    double all = 0;
    for (int64_t c = 0; c < dim; ++c) all += unit[c] * sum[c];
    cosines.push_back((all - 1) / others);
  }
  for (const auto& values : {cosines, lengths, variances}) AddDistance(values, scores);
  return std::min_element(scores.begin(), scores.end()) - scores.begin();
}

}  // namespace vggt
