// SPDX-License-Identifier: Apache-2.0
// Convolutions of maps with kernels of 3 × 3, through oneDNN. A map is [rows, columns, channels],
// as tokens are.
#pragma once

#include <cstdint>
#include <memory>

#include "ops/precision.h"

namespace vggt {

// What happens to a convolution's result on its way to the output.
enum class ConvolutionEpilogue {
  kNone,
  kRelu,
  kAddToOutput,  // added to what the output holds: a residual connection
};

// What lies above and below a map: rows of zeros, or one row more on either side, which is given,
// where the map is a strip of another. Left and right of it there are zeros.
enum class RowsBeyond { kZeros, kGiven };

struct ConvolutionExtents {
  int64_t rows = 0, cols = 0;  // of x, without rows that are given beyond it
  int64_t in = 0, out = 0;     // channels
  int64_t stride = 1;          // 1 or 2

  int64_t rows_out() const { return (rows - 1) / stride + 1; }
  int64_t cols_out() const { return (cols - 1) / stride + 1; }
};

// For maps of one size. The weights are packed once, by the constructor, as oneDNN wants them for
// it. In bfloat16, weights and x are rounded, and sums and results are float32.
class Convolution {
 public:
  // weight [out, in, 3, 3], bias [out] or null; read during construction only. bfloat16 throws
  // Error if MultipliesBf16() is false.
  Convolution(const ConvolutionExtents& extents, const float* weight, const float* bias,
              ConvolutionEpilogue epilogue, RowsBeyond beyond, Precision precision);
  Convolution(Convolution&&) noexcept;
  Convolution& operator=(Convolution&&) noexcept;
  ~Convolution();

  const ConvolutionExtents& extents() const;

  // x [rows, cols, in], with RowsBeyond::kGiven [rows + 2, cols, in] -> y [rows_out, cols_out,
  // out], on all threads. Cross-correlation, as networks have it.
  void Run(const float* x, float* y) const;

 private:
  struct Packed;
  std::unique_ptr<Packed> packed_;
};

}  // namespace vggt
