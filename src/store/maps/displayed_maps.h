// SPDX-License-Identifier: Apache-2.0
// What is shown of one query in one layer (docs/formats.md, "What is shown"): 8-bit levels, and the
// number that level 255 stands for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "store/maps/map_schema.h"

namespace vggt {

// Little-endian F16 or F32 as float32; what is not a number from 0 to kMostVmax becomes 0.
// `bytes` holds `out.size()` of them.
void ReadRaw(Bytes bytes, DType dtype, std::span<float> out);

// The mean over heads, from their stored levels or raw values; renormalised by its own percentile.
class MeanOfHeads {
 public:
  // `values`: of one query in one head (frames · height · width).
  explicit MeanOfHeads(size_t values) : sum_(values) {}

  // p = level / 255 · vmax, in float32 as NumPy computes it.
  void AddLevels(std::span<const uint8_t> levels, double vmax);
  void AddRaw(std::span<const float> values);

  // Levels of the mean, and its scale: its 99th percentile + 1e-8. Where that percentile is 0 the
  // maximum takes its place; where that is 0, too, all levels are 0. Once, after all heads.
  double Finish(std::span<uint8_t> levels);

 private:
  std::vector<float> sum_;
  int heads_ = 0;
};

}  // namespace vggt
