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

// oneDNN's code for products of given sizes. It is made when a size first occurs, which costs more
// than a small product, and kept. Linear layers of equal extents share it. Each forward pass has
// one of its own, since what is made depends on the number of rows: layers themselves never change.
class CompiledProducts {
 public:
  CompiledProducts();
  CompiledProducts(CompiledProducts&&) noexcept;
  CompiledProducts& operator=(CompiledProducts&&) noexcept;
  ~CompiledProducts();

 private:
  friend class Linear;
  struct Map;
  std::unique_ptr<Map> map_;
};

// The weights are packed once, by the constructor, into the layout that oneDNN prefers.
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

  // x [rows, in] -> y [rows, out], on all threads. rows ≥ 0. x is of the weights' type, or Error is
  // thrown; a bfloat16 y is rounded once, after the epilogue. Several threads may run one layer at
  // the same time, each with products of its own.
  void Run(int64_t rows, const float* x, float* y, CompiledProducts& products) const;
  void Run(int64_t rows, const uint16_t* x, float* y, CompiledProducts& products) const;
  void Run(int64_t rows, const uint16_t* x, uint16_t* y, CompiledProducts& products) const;

 private:
  struct Packed;
  std::unique_ptr<Packed> packed_;
};

}  // namespace vggt
