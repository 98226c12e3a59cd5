// SPDX-License-Identifier: Apache-2.0
// The maps of one layer, as they are stored.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace vggt {

// Extents of first-to-all maps: for each query patch of frame 0, over the patches of every frame.
// Both lie on the same grid, every stride-th patch.
struct MapExtents {
  int64_t queries = 0;  // height · width, row by row
  int64_t heads = 0;    // of the model
  int64_t frames = 0;
  int64_t height = 0, width = 0;

  int64_t keys() const { return frames * height * width; }
};

struct LayerMaps {
  MapExtents extents;
  bool per_head = false;
  // [queries, frames, height, width], or [queries, heads, frames, height, width] if per head.
  std::vector<uint8_t> levels;
  // 99th percentile of all the layer's probabilities, and of each head's (empty unless per head).
  double layer_vmax99 = 0;
  std::vector<double> per_head_vmax99;

  Shape shape() const;
};

// Probabilities [queries, keys] or, per head, [queries, heads, keys], to 8-bit levels; each head is
// scaled by its own 99th percentile, or the layer by its.
LayerMaps QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head);
// The same into `maps`, whose memory is used again. On all threads.
void QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head,
                   LayerMaps& maps);

}  // namespace vggt
