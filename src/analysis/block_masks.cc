// SPDX-License-Identifier: Apache-2.0
#include "analysis/block_masks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vggt {
namespace {

double FloatDot(const float* a, const float* b, int64_t dim) {
  constexpr int64_t kTogether = 8;
  float sums[kTogether] = {};
  int64_t i = 0;
  for (; i + kTogether <= dim; i += kTogether) {
    for (int64_t j = 0; j < kTogether; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < dim; ++i) sums[0] += a[i] * b[i];
  double total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

// Of the patches [count, dim], the means of each `size` of them.
std::vector<float> BlockMeans(std::span<const float> x, int64_t dim, int64_t size) {
  const int64_t count = std::ssize(x) / dim;
  std::vector<float> means;
  for (int64_t first = 0; first < count; first += size) {
    const int64_t end = std::min(first + size, count);
    std::vector<double> sum(static_cast<size_t>(dim), 0);
    for (int64_t i = first; i < end; ++i) {
      for (int64_t c = 0; c < dim; ++c) {
        sum[static_cast<size_t>(c)] += x[static_cast<size_t>(i * dim + c)];
      }
    }
    for (const double s : sum) {
      means.push_back(static_cast<float>(s / static_cast<double>(end - first)));
    }
  }
  return means;
}

}  // namespace

std::vector<std::vector<uint8_t>> BlockMasks(std::span<const float> queries,
                                             std::span<const float> keys, int64_t dim, double scale,
                                             std::span<const BlockMaskRule> rules) {
  const std::vector<float> q = BlockMeans(queries, dim, kMaskQueries);
  const std::vector<float> k = BlockMeans(keys, dim, kMaskKeys);
  const int64_t rows = std::ssize(q) / dim, blocks = std::ssize(k) / dim;
  std::vector<std::vector<uint8_t>> masks(rules.size());
  for (std::vector<uint8_t>& mask : masks) mask.assign(static_cast<size_t>(rows * blocks), 0);
  std::vector<double> p(static_cast<size_t>(blocks));
  std::vector<int64_t> order(static_cast<size_t>(blocks));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t b = 0; b < blocks; ++b) {
      p[static_cast<size_t>(b)] = scale * FloatDot(q.data() + row * dim, k.data() + b * dim, dim);
    }
    const double largest = *std::max_element(p.begin(), p.end());
    double total = 0;
    for (double& value : p) total += value = std::exp(value - largest);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return p[static_cast<size_t>(a)] > p[static_cast<size_t>(b)];
    });
    for (size_t r = 0; r < rules.size(); ++r) {
      // Of 10 blocks and a ratio of 0.9 one is kept, though 10 · (1 - 0.9) is less in double.
      const auto least = static_cast<int64_t>(
          std::floor(static_cast<double>(blocks) * (1 - rules[r].ratio) + 1e-9));
      double sum = 0;
      for (int64_t b = 0; b < blocks; ++b) {
        if (b > 0 && b >= least && sum >= rules[r].cdf * total * (1 - 1e-12)) break;
        sum += p[static_cast<size_t>(order[static_cast<size_t>(b)])];
        masks[r][static_cast<size_t>(row * blocks + order[static_cast<size_t>(b)])] = 1;
      }
    }
  }
  return masks;
}

}  // namespace vggt
