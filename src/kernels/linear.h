// SPDX-License-Identifier: Apache-2.0
// A linear layer, y = x · Wᵀ + b, in float32 through oneDNN.
#pragma once

#include <cstdint>
#include <memory>

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
  // weight [out, in], bias [out], row-major; read during construction only.
  Linear(int64_t in, int64_t out, const float* weight, const float* bias,
         LinearEpilogue epilogue = LinearEpilogue::kNone);
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  int64_t in() const;
  int64_t out() const;

  // x [rows, in] -> y [rows, out], on all threads. rows ≥ 0. One caller at a time.
  void Run(int64_t rows, const float* x, float* y) const;

 private:
  struct Packed;
  std::unique_ptr<Packed> packed_;
};

}  // namespace vggt
