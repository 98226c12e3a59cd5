// SPDX-License-Identifier: Apache-2.0
// Makes what is shown for one query in one layer (docs/formats.md, "What is shown"): 8-bit levels,
// and the number that level 255 stands for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "store/maps/map_schema.h"

namespace vggt {

// Turns out.size() little-endian numbers of type F16 or F32 into float32. Whatever is no number
// from 0 to kMostVmax becomes 0. Throws Error if `bytes` is of another size.
void ReadRaw(Bytes bytes, DType dtype, std::span<float> out);

// The mean over heads, of their stored levels or of their raw values. It is scaled by its own
// percentile.
class MeanOfHeads {
 public:
  // `values`: how many one query has in one head, which is frames · height · width.
  explicit MeanOfHeads(size_t values) : sum_(values) {}

  // Adds a head whose values are level / 255 · vmax, in float32 as NumPy computes it.
  void AddLevels(std::span<const uint8_t> levels, double vmax);
  void AddRaw(std::span<const float> values);

  // Writes the levels of the mean and returns its scale, which is its 99th percentile + 1e-8. If
  // that percentile is 0, the maximum takes its place; if that is 0, too, all levels are 0. Call it
  // once, after all heads.
  double Finish(std::span<uint8_t> levels);

 private:
  std::vector<float> sum_;
  int heads_ = 0;
};

}  // namespace vggt
