// SPDX-License-Identifier: Apache-2.0
// The maps of one layer, as they are stored.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "ops/quantile.h"

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

// Makes a layer's maps from probabilities, some heads at a time: each head is scaled by its own
// 99th percentile, or the layer by its. On all threads.
class LayerQuantizer {
 public:
  // The result goes into `maps`, whose memory is used again. `sample`: some probabilities of all
  // heads, or none; it saves time where heads come one after another.
  LayerQuantizer(const MapExtents& extents, bool per_head, LayerMaps& maps,
                 std::vector<float> sample = {});

  // The next `heads` heads, [queries, heads, keys]; 1 for the mean of them all, unless per head.
  void Add(const float* probabilities, int64_t heads);
  // Call once, after the last head. Returns false if `sample` gave a wrong bound for the layer's
  // percentile. The caller must then repeat the layer with an empty `sample`.
  [[nodiscard]] bool Finish();

 private:
  LayerMaps& maps_;
  GroupQuantiles quantiles_;  // if heads are several
  std::vector<double> vmax_;  // of the heads so far
};

// The same at once, from [queries, keys] or, per head, [queries, heads, keys].
LayerMaps QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head);

}  // namespace vggt
