// SPDX-License-Identifier: Apache-2.0
#include "ops/reference.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vggt::reference {

void Linear(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight,
            const float* bias, float* y) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias[o];
      for (int64_t i = 0; i < in; ++i) sum += double{x[r * in + i]} * weight[o * in + i];
      y[r * out + o] = static_cast<float>(sum);
    }
  }
}

double Gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

void LayerNorm(int64_t rows, int64_t cols, const float* x, const float* weight, const float* bias,
               double eps, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < cols; ++c) mean += x[c];
    mean /= static_cast<double>(cols);
    for (int64_t c = 0; c < cols; ++c) variance += (x[c] - mean) * (x[c] - mean);
    variance /= static_cast<double>(cols);
    const double scale = 1 / std::sqrt(variance + eps);
    for (int64_t c = 0; c < cols; ++c) {
      y[c] = static_cast<float>((x[c] - mean) * scale * weight[c] + bias[c]);
    }
  }
}

void Rope(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
          const int32_t* positions, float* x) {
  const int64_t quarter = head_dim / 4;
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t axis = 0; axis < 2; ++axis) {
        float* half = x + t * token_stride + h * head_dim + axis * 2 * quarter;
        for (int64_t i = 0; i < quarter; ++i) {
          const double exponent = -static_cast<double>(i) / static_cast<double>(quarter);
          const double angle = positions[2 * t + axis] * std::pow(100.0, exponent);
          const double a = half[i], b = half[i + quarter];
          half[i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
          half[i + quarter] = static_cast<float>(b * std::cos(angle) + a * std::sin(angle));
        }
      }
    }
  }
}

namespace {

// Turns logits into probabilities, in place.
void Softmax(std::vector<double>& row) {
  const double max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value - max);
  for (double& value : row) value /= sum;
}

// The logits of query i for the given keys, or for all tokens that it sees if `keys` is empty.
std::vector<double> Logits(const AttentionShape& shape, const float* q, const float* k, int64_t i,
                           std::span<const int32_t> keys = {}) {
  const int64_t group = shape.causal_group > 0 ? shape.causal_group : shape.tokens;
  std::vector<double> row(keys.empty() ? (i / group + 1) * group : keys.size());
  for (size_t j = 0; j < row.size(); ++j) {
    const int64_t key = keys.empty() ? static_cast<int64_t>(j) : keys[j];
    for (int64_t c = 0; c < shape.head_dim; ++c) {
      row[j] += double{q[i * shape.token_stride + c]} * k[key * shape.token_stride + c];
    }
    row[j] /= std::sqrt(static_cast<double>(shape.head_dim));
  }
  return row;
}

}  // namespace

void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out) {
  const int64_t n = shape.tokens, d = shape.head_dim;
  for (int64_t bh = 0; bh < shape.batch * shape.heads; ++bh) {
    const int64_t b = bh / shape.heads, h = bh % shape.heads;
    const int64_t offset = b * n * shape.token_stride + h * d;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> row = Logits(shape, q + offset, k + offset, i);
      Softmax(row);
      for (int64_t c = 0; c < d; ++c) {
        double sum = 0;
        for (size_t j = 0; j < row.size(); ++j) {
          sum += row[j] * v[offset + static_cast<int64_t>(j) * shape.token_stride + c];
        }
        out[((b * n + i) * shape.heads + h) * d + c] = static_cast<float>(sum);
      }
    }
  }
}

void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe) {
  const size_t keys = probe.keys.size();
  for (size_t r = 0; r < probe.rows.size(); ++r) {
    std::vector<double> mean(keys);
    for (int64_t h = 0; h < shape.heads; ++h) {
      const int64_t offset = h * shape.head_dim;
      std::vector<double> row = Logits(shape, q + offset, k + offset, probe.rows[r],
                                       probe.seen > 0 ? probe.keys.first(probe.seen) : probe.keys);
      Softmax(row);
      row.resize(keys);
      for (size_t j = 0; j < keys; ++j) {
        mean[j] += row[j] / static_cast<double>(shape.heads);
        if (!probe.average_heads) {
          probe.out[(r * shape.heads + h) * keys + j] = static_cast<float>(row[j]);
        }
      }
    }
    if (!probe.average_heads) continue;
    for (size_t j = 0; j < keys; ++j) probe.out[r * keys + j] = static_cast<float>(mean[j]);
  }
}

}  // namespace vggt::reference
