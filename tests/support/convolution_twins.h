// SPDX-License-Identifier: Apache-2.0
// Slow twins of what dense prediction heads are made of, in plain loops and double precision. Maps
// are [rows, columns, channels].
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace vggt::testing {

// Cross-correlation with weight [out, in, k, k], k / 2 zeros beyond each edge; bias may be null.
inline std::vector<double> ConvolutionTwin(int64_t rows, int64_t cols, int64_t in, int64_t out,
                                           int64_t k, int64_t stride, const float* x,
                                           const float* weight, const float* bias) {
  const int64_t rows_out = (rows - 1) / stride + 1, cols_out = (cols - 1) / stride + 1;
  std::vector<double> y;
  for (int64_t r = 0; r < rows_out; ++r) {
    for (int64_t c = 0; c < cols_out; ++c) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = bias == nullptr ? 0 : bias[o];
        for (int64_t dy = 0; dy < k; ++dy) {
          for (int64_t dx = 0; dx < k; ++dx) {
            const int64_t from_row = r * stride + dy - k / 2, from_col = c * stride + dx - k / 2;
            if (from_row < 0 || from_row >= rows || from_col < 0 || from_col >= cols) continue;
            for (int64_t i = 0; i < in; ++i) {
              sum += static_cast<double>(x[(from_row * cols + from_col) * in + i]) *
                     weight[((o * in + i) * k + dy) * k + dx];
            }
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

// Transposed, with weight [in, out, k, k] and stride k: every pixel becomes k × k of its own.
inline std::vector<double> EnlargingTwin(int64_t rows, int64_t cols, int64_t in, int64_t out,
                                         int64_t k, const float* x, const float* weight,
                                         const float* bias) {
  std::vector<double> y(static_cast<size_t>(rows * k * cols * k * out));
  for (int64_t r = 0; r < rows * k; ++r) {
    for (int64_t c = 0; c < cols * k; ++c) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = bias[o];
        for (int64_t i = 0; i < in; ++i) {
          sum += static_cast<double>(x[(r / k * cols + c / k) * in + i]) *
                 weight[((i * out + o) * k + r % k) * k + c % k];
        }
        y[(r * cols * k + c) * out + o] = sum;
      }
    }
  }
  return y;
}

// Resized so that the first and last samples lie on each other.
template <typename T>
std::vector<double> BilinearTwin(int64_t rows, int64_t cols, int64_t channels, const T* x,
                                 int64_t rows_out, int64_t cols_out) {
  const auto at = [](int64_t i, int64_t from, int64_t to) {
    return to == 1 ? 0 : static_cast<double>(i * (from - 1)) / static_cast<double>(to - 1);
  };
  std::vector<double> y;
  for (int64_t r = 0; r < rows_out; ++r) {
    for (int64_t c = 0; c < cols_out; ++c) {
      for (int64_t i = 0; i < channels; ++i) {
        double sum = 0;
        for (int64_t sr = 0; sr < rows; ++sr) {
          const double row_weight = 1 - std::abs(at(r, rows, rows_out) - static_cast<double>(sr));
          if (row_weight <= 0) continue;
          for (int64_t sc = 0; sc < cols; ++sc) {
            const double weight = 1 - std::abs(at(c, cols, cols_out) - static_cast<double>(sc));
            if (weight > 0) sum += row_weight * weight * x[(sr * cols + sc) * channels + i];
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

}  // namespace vggt::testing
