// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/pos_embed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/parallel.h"

namespace vggt {
namespace {

double Cubic(double a, double t) {
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

// Without antialias: of each sample the four nearest.
std::vector<double> PlainWeights(int64_t n_in, int64_t n_out, double offset) {
  std::vector<double> weights(n_in * n_out);
  const double scale = static_cast<double>(n_in) / (static_cast<double>(n_out) + offset);
  for (int64_t i = 0; i < n_out; ++i) {
    const double at = scale * (static_cast<double>(i) + 0.5) - 0.5;
    const auto below = static_cast<int64_t>(std::floor(at));
    for (int64_t j = below - 1; j < below + 3; ++j) {
      weights[i * n_in + std::clamp<int64_t>(j, 0, n_in - 1)] +=
          Cubic(-0.75, std::abs(at - static_cast<double>(j)));
    }
  }
  return weights;
}

}  // namespace

std::vector<double> BicubicWeights(int64_t n_in, int64_t n_out, const Resampling& resampling) {
  if (!resampling.antialias) return PlainWeights(n_in, n_out, resampling.offset);
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double widen = std::max(scale, 1.0);
  std::vector<double> weights(n_in * n_out);
  for (int64_t i = 0; i < n_out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    // Truncation towards zero, before the clamp, as PyTorch and Pillow have it.
    const int64_t low = std::max<int64_t>(static_cast<int64_t>(centre - 2 * widen + 0.5), 0);
    const int64_t high = std::min(static_cast<int64_t>(centre + 2 * widen + 0.5), n_in);
    double* row = weights.data() + i * n_in;
    double sum = 0;
    for (int64_t j = low; j < high; ++j) {
      row[j] = Cubic(-0.5, std::abs((static_cast<double>(j) - centre + 0.5) / widen));
      sum += row[j];
    }
    for (int64_t j = low; j < high; ++j) row[j] /= sum;
  }
  return weights;
}

FloatBuffer ResamplePosEmbed(const FloatBuffer& pos_embed, int64_t grid, int64_t dim,
                             int64_t height, int64_t width, const Resampling& resampling) {
  FloatBuffer out((1 + height * width) * dim);
  if (height == grid && width == grid) {
    std::memcpy(out.data(), pos_embed.data(), out.size() * sizeof(float));
    return out;
  }
  std::memcpy(out.data(), pos_embed.data(), dim * sizeof(float));
  const float* cells = pos_embed.data() + dim;
  const std::vector<double> down = BicubicWeights(grid, height, resampling),
                            across = BicubicWeights(grid, width, resampling);
  ParallelFor(height, 1, [&](size_t y) {
    std::vector<double> row(grid * dim),
        cell(dim);  // this row of the result, not yet resampled in x
    for (int64_t i = 0; i < grid; ++i) {
      const double weight = down[y * grid + i];
      if (weight == 0) continue;
      for (int64_t j = 0; j < grid * dim; ++j) row[j] += weight * cells[i * grid * dim + j];
    }
    for (int64_t x = 0; x < width; ++x) {
      std::fill(cell.begin(), cell.end(), 0);
      for (int64_t j = 0; j < grid; ++j) {
        const double weight = across[x * grid + j];
        if (weight == 0) continue;
        for (int64_t c = 0; c < dim; ++c) cell[c] += weight * row[j * dim + c];
      }
      float* to = out.data() + (1 + static_cast<int64_t>(y) * width + x) * dim;
      for (int64_t c = 0; c < dim; ++c) to[c] = static_cast<float>(cell[c]);
    }
  });
  return out;
}

}  // namespace vggt
