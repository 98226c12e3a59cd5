// SPDX-License-Identifier: Apache-2.0
// A linear layer, y = x · Wᵀ + b, through oneDNN: in float32, or with weights and x in bfloat16 and
// sums in float32. bfloat16 values are given as their bits.
#pragma once

#include <cstdint>
#include <memory>

#include "ops/precision.h"

namespace vggt {

// What happens to x · Wᵀ + b on its way to the output.
enum class LinearEpilogue {
  kNone,
  kGelu,         // exact GELU, x/2 · (1 + erf(x/√2))
  kAddToOutput,  // added to what the output holds: a residual connection
};

// The weights are packed once, here, into the layout that oneDNN prefers.
class Linear {
 public:
  // weight [out, in], bias [out], row-major; read during construction only. The type of the weights
  // decides the precision. bfloat16 throws Error if MultipliesBf16() is false.
  Linear(int64_t in, int64_t out, const float* weight, const float* bias,
         LinearEpilogue epilogue = LinearEpilogue::kNone);
  Linear(int64_t in, int64_t out, const uint16_t* weight, const float* bias,
         LinearEpilogue epilogue = LinearEpilogue::kNone);
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  int64_t in() const;
  int64_t out() const;
  Precision precision() const;

  // x [rows, in] -> y [rows, out], on all threads. rows ≥ 0. One caller at a time. x is of the
  // weights' type, or Error is thrown; a bfloat16 y is rounded once, after the epilogue.
  void Run(int64_t rows, const float* x, float* y) const;
  void Run(int64_t rows, const uint16_t* x, float* y) const;
  void Run(int64_t rows, const uint16_t* x, uint16_t* y) const;

 private:
  struct Packed;
  std::unique_ptr<Packed> packed_;
};

}  // namespace vggt
